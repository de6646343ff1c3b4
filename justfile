# Short names for what CONTRIBUTING.md tells. `just` lists them.

_default:
    @just --list

# All tests, with the servers that they need
test *arguments:
    cargo xtask test {{arguments}}

# All other checks
verify *checks:
    cargo xtask verify {{checks}}

# Format everything
fmt:
    cargo fmt --all

# What CI runs
ci:
    .ci/run

# The example, in one process
example order='12345':
    cargo run --release --bin stepwell -- run examples/order-processing/workflow.asl.json --input '{"orderId": "{{order}}"}'

# The throughput beside the raw limits of broker and store
bench *arguments:
    cargo run --release -p bench -- {{arguments}}
