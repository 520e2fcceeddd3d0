//! What an application puts in the place of ours: a filter of recipients, a store of sessions.
//!
//! - A filter of recipients decides for each subscriber, in channels, patterns and rooms, beside
//!   the filter that a client asks for.
//! - A filter of recipients that panics lets nothing pass.
//! - A stored session outlives its process, goes on once, and for its owner alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;
use throng::Client;
use throng::ClientId;
use throng::ConnectOptions;
use throng::Filter;
use throng::Hub;
use throng::Layers;
use throng::Message;
use throng::Metadata;
use throng::SubscribeOptions;
use throng::UserId;
use throng::sessions::Note;
use throng::sessions::ResumeError;
use throng::sessions::SessionStore;
use throng::sessions::StoredSession;

use crate::support::texts;

/// Only those who work here receive what is for the staff.
fn hub() -> Hub {
    let public = Filter::new(|message: &Message| {
        let metadata = Metadata::of(message);
        metadata.is_none_or(|it| it.get("for") != Some(&json!("staff")))
    });
    Hub::builder()
        .recipients(move |client: &Client, channel: &str| {
            assert_ne!(channel, "broken", "this is what is tested");
            (client.metadata("role") != Some("staff")).then(|| public.clone())
        })
        .build()
        .unwrap()
}

fn staff_only(text: &'static str) -> Message {
    let object = json!({"for": "staff"}).as_object().unwrap().clone();
    let metadata = Metadata::new(object).unwrap();
    let header = throng::MessageHeader::new("message").metadata(Some(metadata));
    header.attach_to(Message::static_text(text))
}

#[test]
fn a_filter_of_recipients_decides_for_each_subscriber() {
    let hub = hub();
    let (ada, mut of_ada) = hub
        .connect(ConnectOptions::new().metadata("role", "staff"))
        .unwrap();
    let (bob, mut of_bob) = hub.connect(ConnectOptions::new()).unwrap();
    let short = Filter::new(|message: &Message| message.payload().len() < 6);
    let options = SubscribeOptions::new().filter(short);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        ada.subscribe("news").await.unwrap();
        bob.subscribe_with("news", options).await.unwrap();
    });
    for message in [
        staff_only("for us"),
        Message::static_text("all"),
        Message::static_text("too long"),
    ] {
        let _delivery = hub.publish("news", message).unwrap();
    }
    assert_eq!(texts(&mut of_ada), ["for us", "all", "too long"]);
    assert_eq!(texts(&mut of_bob), ["all"]);
    bob.subscribe_blocking("broken").unwrap();
    let _delivery = hub.publish("broken", Message::static_text("x")).unwrap();
    assert_eq!(texts(&mut of_bob), [""; 0]);
}

/// A store in memory.
#[derive(Clone, Default)]
struct Stored(Arc<Mutex<HashMap<String, StoredSession>>>);

impl SessionStore for Stored {
    fn put(&self, id: &str, session: StoredSession, ttl: Duration) {
        assert_eq!(ttl, Duration::from_secs(30));
        self.0.lock().insert(id.to_owned(), session);
    }

    fn take(&self, id: &str, owner: Option<&UserId>) -> Result<StoredSession, ResumeError> {
        let mut sessions = self.0.lock();
        match sessions.get(id) {
            None => Err(ResumeError::Unknown),
            Some(session) if session.owner.as_ref() != owner => Err(ResumeError::NotOwned),
            Some(_) => sessions.remove(id).ok_or(ResumeError::Unknown),
        }
    }
}

#[test]
fn a_stored_session_outlives_its_process_and_goes_on_once() {
    let store = Stored::default();
    let layers = || {
        Layers::builder(&Hub::new())
            .session_store(store.clone())
            .build()
    };
    let (ada, bob) = (UserId::parse("ada").unwrap(), UserId::parse("bob").unwrap());
    let first = layers();
    let sessions = first.sessions().unwrap();
    let session = sessions
        .open(Some(&ada), "7".parse::<ClientId>().unwrap())
        .unwrap();
    let note = Note {
        key: "news".into(),
        text: "subscribed".into(),
    };
    assert!(session.note(&note));
    let id = session.id().to_owned();
    assert_eq!(store.0.lock().len(), 0, "it is open");
    drop(session);
    assert_eq!((store.0.lock().len(), sessions.count()), (1, (0, 0)));
    drop(first);

    let second = layers();
    let sessions = second.sessions().unwrap();
    assert_eq!(sessions.resume(&id, Some(&bob)), Err(ResumeError::NotOwned));
    let resumed = sessions.resume(&id, Some(&ada)).unwrap();
    assert_eq!((resumed.notes, resumed.connected), (vec![note], None));
    assert_eq!(sessions.resume(&id, Some(&ada)), Err(ResumeError::Unknown));
}
