//! Whatever a client sends, it is a command or a fault that says why not; and the arguments of an
//! operation are within the bounds that were asked for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use throng::protocol::Arguments;
use throng::protocol::Command;
use throng::protocol::Request;

fuzz_target!(|text: &str| {
    if let Ok(arguments) = Arguments::parse(text) {
        look(&arguments);
    }
    match Request::parse(text) {
        Ok(Request {
            command: Command::Operation { name, arguments },
            ..
        }) => {
            assert!(!name.is_empty());
            look(&arguments);
        }
        Ok(_) => {}
        Err(fault) => assert!(!fault.message().is_empty()),
    }
});

fn look(arguments: &Arguments) {
    for name in ["room_id", "user_id", "reason", "limit", "tags", "x"] {
        if let Ok(Some(text)) = arguments.text(name, 16) {
            assert!(text.len() <= 16);
        }
        if let Ok(Some(number)) = arguments.number(name, 1, 1000) {
            assert!((1..=1000).contains(&number));
        }
        if let Ok(Some(texts)) = arguments.texts(name, 4, 8) {
            assert!(texts.len() <= 4 && texts.iter().all(|text| text.len() <= 8));
        }
        let _flag = arguments.flag(name);
        let _millis = arguments.millis(name);
    }
}
