//! What keys of rate limits take: the same for any number of them.

use std::env;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::time::Duration;

use throng::Gateway;
use throng::Hub;
use throng::UserId;
use throng::policy::Actions;
use throng::policy::Limit;
use throng::policy::Policy;
use throng::protocol::Command;
use throng::session::Caller;
use throng::session::Request;

use super::counting::bytes;

/// As many keys as `THRONG_KEYS` says, 100,000 if not given.
pub(crate) fn keys_of_rate_limits_take_no_memory() {
    let keys = env::var("THRONG_KEYS").ok();
    let keys = keys.map_or(100_000, |keys| keys.parse().expect("a number"));
    let gateway = Gateway::new(Hub::new());
    let before = bytes();
    let hour = Duration::from_secs(3600);
    let bucket = Limit::per_address(Actions::PING, 1, hour).max_keys(4096);
    let window = bucket.clone().sliding_window().named("window");
    for limit in [bucket, window] {
        gateway.limits().add(limit).expect("it is valid");
    }
    let with_limits = bytes();
    let each = (with_limits - before) / (2 * 4096);
    assert!(each <= 18, "a key takes {each} bytes");
    let ada = UserId::parse("ada").expect("it is one");
    for n in 0..keys {
        let address = IpAddr::V4(Ipv4Addr::from_bits(n));
        let caller = Caller::on_behalf_of(ada.clone()).from_address(Some(address));
        let verdict = gateway
            .limits()
            .check(&caller, &mut Request::from(Command::Ping));
        drop(verdict);
    }
    drop(ada);
    assert!(bytes() <= with_limits, "{keys} keys take memory");
}
