//! - The first carrier counts; the same secret twice is one, two that differ are an error.
//! - A header that cannot be understood is an error, and not a request without credentials.

use hyper::Request;

use crate::policy::Carrier;

use super::Shown;

type Found = Result<Option<(Carrier, String)>, u16>;

fn find(path: &str, headers: &[(&str, &str)]) -> Found {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let parts = request.body(()).unwrap().into_parts().0;
    let shown = Shown::find(&parts, Some("c"), true);
    shown
        .map(|shown| shown.map(|it| (it.carrier, it.secret.to_owned())))
        .map_err(|problem| problem.status().as_u16())
}

#[test]
fn each_carrier_is_found() {
    let is = |carrier| Ok(Some((carrier, "t".to_owned())));
    for (path, headers, carrier) in [
        ("/", &[("authorization", "Bearer t")][..], Carrier::Header),
        ("/", &[("authorization", "bEARER  t ")], Carrier::Header),
        ("/", &[("x-api-key", "t")], Carrier::Header),
        (
            "/",
            &[("sec-websocket-protocol", "a,throng.bearer.t")],
            Carrier::Subprotocol,
        ),
        ("/", &[("cookie", "b=x; c=t")], Carrier::Cookie),
        ("/?a=b&ticket=t", &[], Carrier::Ticket),
        ("/?token=t", &[], Carrier::Query),
        ("/?token=t", &[("x-api-key", "t")], Carrier::Header),
    ] {
        assert_eq!(find(path, headers), is(carrier), "{path} {headers:?}");
    }
    assert_eq!(find("/?tokens=t", &[("cookie", "cc=t")]), Ok(None));
}

#[test]
fn others_are_errors() {
    let two = [("authorization", "Bearer t"), ("x-api-key", "u")];
    assert_eq!(find("/", &two), Err(400));
    assert_eq!(find("/?ticket=u", &two[..1]), Err(400));
    let twice = [("authorization", "Bearer t"), ("authorization", "Bearer u")];
    assert_eq!(find("/", &twice), Err(400));
    for value in ["Basic t", "t", ""] {
        assert_eq!(find("/", &[("authorization", value)]), Err(401), "{value}");
    }
}
