//! What proxies put before a connection and into a request.
//!
//! Nothing that they send makes the parsers panic; a PROXY header is as long as it says, whatever
//! stands behind it; a part of one is incomplete, and never too much is asked for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use throng::server::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::preamble(bytes);
    fuzzing::forwarded(bytes);
});
