//! Whatever a client says it had, it gets a session only if it is the owner's and named in full;
//! and what it gets are commands that can be read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use throng::fuzzing_sessions::resume;

fuzz_target!(|input: (&str, bool, &str)| {
    let (rest, is_owner, wrong) = input;
    let user = if is_owner { "ada" } else { "bob" };
    let named = format!("{{\"session_id\":\"{{id}}\"{rest}}}");
    if let Some(commands) = resume(&named, user) {
        // Another `session_id` may stand behind; names are taken once, so it is refused then.
        assert_eq!(commands.len(), usize::from(is_owner), "{named}");
    }
    if !wrong.contains("{id}")
        && let Some(commands) = resume(wrong, "ada")
    {
        assert!(commands.is_empty(), "{wrong}");
    }
});
