//! What each list of a room must be, computed anew from its line.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;

use ahash::HashMap;

use super::Room;

impl Room {
    pub(in super::super) fn audit(&self) {
        let mut roots = BTreeSet::new();
        let mut users = HashMap::<_, VecDeque<_>>::default();
        let mut threads = HashMap::<_, BTreeSet<_>>::default();
        let (mut silent, mut holes) = (BTreeMap::new(), 0);
        for slot in &self.line {
            let Some(message) = &slot.message else {
                silent.insert(slot.sequence, None);
                holes += 1;
                continue;
            };
            match message.thread {
                None => roots.insert(slot.id),
                Some(thread) => threads.entry(thread).or_default().insert(slot.id),
            };
            if let Some(user) = message.user.clone() {
                users.entry(user).or_default().push_back(slot.id);
            }
            if message.deleted.is_some() {
                silent.insert(slot.sequence, message.user.clone());
            }
        }
        assert_eq!((&self.roots, &self.silent), (&roots, &silent));
        assert_eq!((&self.users, &self.threads), (&users, &threads));
        assert_eq!(self.holes, holes);
        assert!(self.holes <= self.len(), "holes in moderation");
        let ends = [self.line.front(), self.line.back()];
        assert!(ends.iter().flatten().all(|slot| slot.message.is_some()));
        let places = self.line.iter().map(|it| (it.id, it.sequence, it.at));
        let places: Vec<_> = places.collect();
        let mut pairs = places.windows(2).map(|it| (it[0], it[1]));
        assert!(pairs.all(|(a, b)| a.0 < b.0 && a.1 < b.1 && a.2 <= b.2));
        assert!(places.last().is_none_or(|it| it.1 <= self.last));
    }
}
