# Everything that CI runs. `just` without a recipe does the same.
ready:
    .ci/run

# What a change of the rules or fixtures needs.
generate:
    cargo xtask generate
    cargo xtask fixtures

# The end-to-end tests, with their golden files written anew.
golden:
    UPDATE_GOLDEN=1 cargo test --package byom-preflight --test it
