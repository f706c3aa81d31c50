# The real programs with real parts. One ctest per file; each brings its own daemons.
foreach(name single_box)
  add_test(NAME integration_${name}
    COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/integration/${name}_test.py)
  set_tests_properties(integration_${name} PROPERTIES LABELS integration TIMEOUT 600 COST -1
    ENVIRONMENT "WEIR_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
endforeach()
