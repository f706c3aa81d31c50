# The real programs with real parts. Each test starts its own daemons on free ports. Tests with brokers take
# turns, because three JVMs and a browser fill two cores.
function(weir_integration_test name file case timeout_s)
  add_test(NAME integration_${name}
    COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/integration/${file}_test.py ${case})
  set_tests_properties(integration_${name} PROPERTIES LABELS integration TIMEOUT ${timeout_s} COST -1
    ENVIRONMENT "WEIR_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}" ${ARGN})
  # Tests with brokers start first and keep one slot busy; all others share the rest.
  if(ARGN)
    set_tests_properties(integration_${name} PROPERTIES COST 100)
  endif()
endfunction()
weir_integration_test(single_box single_box "" 300)
weir_integration_test(kafka_path kafka_path Path.test_the_table_the_page_and_the_mail 400 RESOURCE_LOCK brokers)
weir_integration_test(kafka_path_killed kafka_path Path.test_each_part_killed_once 500 RESOURCE_LOCK brokers)
weir_integration_test(kafka_three_brokers kafka_path Path.test_one_of_three_brokers_killed 600 RESOURCE_LOCK brokers)
weir_integration_test(faults faults "" 500 RESOURCE_LOCK brokers)
# Each runs its cases in its own threads.
foreach(theme rotation copies identity compressed access errors limits killed)
  weir_integration_test(files_${theme} files_${theme} "" 300)
endforeach()
weir_integration_test(page page "" 300)
weir_integration_test(alerts alerts "" 300)
weir_integration_test(reference reference "" 60)
weir_integration_test(errors errors "" 300)
weir_integration_test(operator operator "" 300)
weir_integration_test(formats formats "" 120)
weir_integration_test(rebalance rebalance "" 900 RESOURCE_LOCK brokers)
weir_integration_test(windows windows "" 500 RESOURCE_LOCK brokers)
weir_integration_test(acks acks "" 600 RESOURCE_LOCK brokers)
weir_integration_test(wire wire "" 400 RESOURCE_LOCK brokers)
