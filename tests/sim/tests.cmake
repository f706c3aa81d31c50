# The simulation: fixed seeds under the sanitizers, fresh ones optimised (tests/checks/sim).
add_test(NAME sim_fixed_seeds COMMAND weir-sim --seed 1 --schedules 600)
set_tests_properties(sim_fixed_seeds PROPERTIES LABELS sim TIMEOUT 600)
