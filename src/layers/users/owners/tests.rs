//! Owners against a dull model: a list of who is in which channels through which connection.

use proptest::collection::vec;
use proptest::prelude::*;

use super::Names;
use super::Owners;
use super::Refused;
use crate::id::ClientId;
use crate::layers::name::UserId;

const USERS: [&str; 3] = ["ada", "bob", "eve"];
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const MOST: usize = 2;
const MOST_CHANNELS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Reserve(usize),
    Cancel(usize),
    Enter(usize),
    Leave(usize, usize),
    Hold(usize, usize, usize),
    Release(usize, usize, usize),
}

/// Of each user, the places reserved and the connections with their channels.
#[derive(Clone, Debug, Default)]
struct Model {
    users: [(usize, Vec<Named>); 3],
    given: u64,
}

/// A connection and its channels.
type Named = (u64, Vec<&'static str>);

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3usize).prop_map(Step::Reserve),
        1 => (0..3usize).prop_map(Step::Cancel),
        3 => (0..3usize).prop_map(Step::Enter),
        1 => (0..3usize, 0..2usize).prop_map(|(user, at)| Step::Leave(user, at)),
        5 => (0..3usize, 0..2usize, 0..4usize).prop_map(|(user, at, name)| Step::Hold(user, at, name)),
        2 => (0..3usize, 0..2usize, 0..4usize)
            .prop_map(|(user, at, name)| Step::Release(user, at, name)),
    ]
}

fn user_id(user: usize) -> UserId {
    UserId::parse(USERS[user]).unwrap()
}

impl Model {
    fn channels(&self, user: usize) -> Vec<&'static str> {
        let connections = self.users[user].1.iter();
        let mut names: Vec<_> = connections.flat_map(|(_, names)| names.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Takes a step on both sides, whose answers must agree.
    fn step(&mut self, owners: &mut Owners<u64>, step: &Step) {
        match *step {
            Step::Reserve(user) => {
                let is_free = self.users[user].0 + self.users[user].1.len() < MOST;
                assert_eq!(owners.reserve(&user_id(user), Some(MOST)), is_free);
                self.users[user].0 += usize::from(is_free);
            }
            Step::Cancel(user) if self.users[user].0 > 0 => {
                owners.cancel(&user_id(user));
                self.users[user].0 -= 1;
            }
            Step::Enter(user) if self.users[user].0 > 0 => {
                self.given += 1;
                let is_first = owners.enter(&user_id(user), ClientId::new(self.given), self.given);
                assert_eq!(is_first, self.users[user].1.is_empty());
                self.users[user].0 -= 1;
                self.users[user].1.push((self.given, Vec::new()));
            }
            Step::Leave(user, at) if at < self.users[user].1.len() => {
                let (id, _) = self.users[user].1.remove(at);
                let is_last = self.users[user].1.is_empty();
                assert_eq!(
                    owners.leave(&user_id(user), ClientId::new(id)),
                    Some(is_last)
                );
                assert_eq!(owners.leave(&user_id(user), ClientId::new(id)), None);
            }
            Step::Hold(user, at, name) if at < self.users[user].1.len() => {
                let name = NAMES[name];
                let held = self.channels(user);
                let fits = held.contains(&name) || held.len() < MOST_CHANNELS;
                let (id, names) = &mut self.users[user].1[at];
                let outcome = owners.hold(&user_id(user), ClientId::new(*id), name, MOST_CHANNELS);
                assert_eq!(outcome, if fits { Ok(()) } else { Err(Refused::Full) });
                if fits && !names.contains(&name) {
                    names.push(name);
                }
            }
            Step::Release(user, at, name) if at < self.users[user].1.len() => {
                let name = NAMES[name];
                let (id, names) = &mut self.users[user].1[at];
                let had = names.contains(&name);
                assert_eq!(
                    owners.release(&user_id(user), ClientId::new(*id), name),
                    had
                );
                names.retain(|held| *held != name);
            }
            _ => {}
        }
    }

    fn agrees(&self, owners: &Owners<u64>) {
        let mut listed = Vec::new();
        for (user, (reserved, connections)) in self.users.iter().enumerate() {
            let of = user_id(user);
            let ids: Vec<_> = connections.iter().map(|(id, _)| *id).collect();
            assert_eq!(owners.handles(&of).copied().collect::<Vec<_>>(), ids);
            assert_eq!(owners.count(&of), ids.len());
            assert_eq!(owners.channels(&of), self.channels(user).len());
            let is_kept = *reserved > 0 || !ids.is_empty();
            assert_eq!(owners.users.contains_key(&of), is_kept);
            if !ids.is_empty() {
                listed.push((USERS[user].to_owned(), ids.len()));
            }
        }
        let users = owners.users(None);
        let users: Vec<_> = users
            .map(|(user, count)| (user.to_string(), count))
            .collect();
        assert_eq!(users, listed);
    }
}

proptest! {
    #[test]
    fn owners_are_those_of_the_model(steps in vec(step(), 0..200)) {
        let mut owners = Owners::new();
        let mut model = Model::default();
        for step in &steps {
            model.step(&mut owners, step);
            model.agrees(&owners);
        }
    }
}

#[test]
fn an_anonymous_connection_takes_up_channels_by_itself() {
    let mut names = Names::new();
    assert_eq!(names.hold("a", 1), Ok(()));
    assert_eq!(names.hold("a", 1), Ok(()), "it has it");
    assert_eq!(names.hold("b", 1), Err(Refused::Full));
    assert!(!names.release("b"));
    assert!(names.release("a"));
    assert_eq!(names.hold("b", 1), Ok(()));
}
