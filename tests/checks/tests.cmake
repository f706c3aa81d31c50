# Checks that do not test a single program: the format, the other builds, the fuzzers. Each takes the whole
# machine and runs after all other tests.
function(weir_check name timeout_s)
  add_test(NAME check_${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/checks/${name} ${ARGN})
  set_tests_properties(check_${name} PROPERTIES LABELS checks TIMEOUT ${timeout_s} COST -2 PROCESSORS 2)
endfunction()
weir_check(format 60)
weir_check(includes 60)
weir_check(release 1500)
weir_check(tidy 1500 ${CMAKE_BINARY_DIR})
weir_check(fuzz 1500)
weir_check(tsan 1500)
weir_check(sim 1500)
