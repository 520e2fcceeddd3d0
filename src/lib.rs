#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the hub that stands on it comes later")
)]
mod raw;
mod sync;
