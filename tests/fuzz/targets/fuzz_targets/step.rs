#![no_main]

// The wrapper of JSONata catches panics, so a panic must not abort at once; one that leaves the target still does.
libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| {})),
    |bytes: &[u8]| fuzz::run("step", bytes)
);
