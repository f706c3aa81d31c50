# The programs in a world where something breaks every few seconds. CI runs this for two minutes.
add_test(NAME e2e_chaos COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/e2e/chaos --seconds 120)
set_tests_properties(e2e_chaos PROPERTIES LABELS e2e TIMEOUT 900 COST -1 PROCESSORS 2 RESOURCE_LOCK brokers
  ENVIRONMENT "WEIR_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
