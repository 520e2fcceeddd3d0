//! Reactions that come and go.

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use crate::layers::messages::error::StoreError;
use crate::layers::messages::sqlite::row;
use crate::layers::messages::sqlite::write::Fault;
use crate::layers::messages::sqlite::write::Work;
use crate::layers::messages::store::Written;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;

impl Work<'_> {
    pub(super) fn react(
        &mut self,
        room: &RoomId,
        sequence: u64,
        user: &UserId,
        reaction: &str,
        most: usize,
    ) -> Result<Written, Fault> {
        let target = self.target(room, sequence)?;
        if target.is_deleted {
            return Err(StoreError::Deleted.into());
        }
        let tally = tally(self.db, target.id, reaction)?;
        let known = self.user(user)?;
        if let (Some((tally, _)), Some(user)) = (tally, known)
            && place(self.db, tally, user)?.is_some()
        {
            return Ok(Written::Nothing);
        }
        if tally.is_none() && usize::try_from(target.tallies).is_ok_and(|have| have >= most) {
            let (what, limit) = ("reactions", most);
            return Err(StoreError::TooMany { what, limit }.into());
        }
        let user = self.make_user(user)?;
        let (tally, count) = match tally {
            Some(tally) => tally,
            None => (self.begin(target.id, reaction)?, 0),
        };
        self.execute(REACT, (tally, user))?;
        self.execute(RECOUNT, (tally, count + 1))?;
        Ok(Written::Reaction(row::nat(count + 1)))
    }

    fn begin(&self, message: i64, reaction: &str) -> rusqlite::Result<i64> {
        self.execute(BEGIN, (message, reaction))?;
        let tally = self.db.last_insert_rowid();
        self.execute(BEGUN, [message])?;
        Ok(tally)
    }

    pub(super) fn unreact(
        &mut self,
        room: &RoomId,
        sequence: u64,
        user: &UserId,
        reaction: &str,
    ) -> Result<Written, Fault> {
        let target = self.target(room, sequence)?;
        let tally = tally(self.db, target.id, reaction)?;
        let (Some((tally, _)), Some(user)) = (tally, self.user(user)?) else {
            return Ok(Written::Nothing);
        };
        let left = self.withdraw(tally, user)?;
        Ok(left.map_or(Written::Nothing, Written::Reaction))
    }

    /// How many still have the reaction, if this user had it; none of it is kept once nobody has.
    pub(super) fn withdraw(&self, tally: i64, user: i64) -> rusqlite::Result<Option<u64>> {
        if self.execute(UNREACT, (tally, user))? == 0 {
            return Ok(None);
        }
        let mut statement = self.db.prepare_cached(LESSEN)?;
        let (message, left): (i64, i64) =
            statement.query_row([tally], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if left == 0 {
            self.execute("DELETE FROM tallies WHERE id = ?1", [tally])?;
            self.execute(ENDED, [message])?;
        }
        Ok(Some(row::nat(left)))
    }
}

/// Who has had a reaction, after that user; none if that user has not.
pub(super) fn reactors(
    db: &Connection,
    message: i64,
    reaction: &str,
    after: Option<&UserId>,
    limit: usize,
) -> rusqlite::Result<Vec<UserId>> {
    let Some((tally, _)) = tally(db, message, reaction)? else {
        return Ok(Vec::new());
    };
    let place = match after {
        None => Some(0),
        Some(user) => match row::id(db, row::USER, user)? {
            Some(user) => place(db, tally, user)?,
            None => None,
        },
    };
    match place {
        Some(place) => row::reactors(db, tally, place, limit),
        None => Ok(Vec::new()),
    }
}

/// A reaction of a message and how many have it.
pub(super) fn tally(
    db: &Connection,
    message: i64,
    reaction: &str,
) -> rusqlite::Result<Option<(i64, i64)>> {
    let mut statement = db.prepare_cached(TALLY)?;
    let found = statement.query_row((message, reaction), |row| Ok((row.get(0)?, row.get(1)?)));
    found.optional()
}

/// Where among those who have a reaction a user is, if so.
pub(super) fn place(db: &Connection, tally: i64, user: i64) -> rusqlite::Result<Option<i64>> {
    let mut statement = db.prepare_cached(PLACE)?;
    let found = statement.query_row((tally, user), |row| row.get(0));
    found.optional()
}

pub(super) const TALLY: &str = "SELECT id, count FROM tallies WHERE message = ?1 AND reaction = ?2";
pub(super) const PLACE: &str = "SELECT id FROM reactions WHERE tally = ?1 AND user = ?2";
const REACT: &str = "INSERT INTO reactions (tally, user) VALUES (?1, ?2)";
const RECOUNT: &str = "UPDATE tallies SET count = ?2 WHERE id = ?1";
const BEGIN: &str = "INSERT INTO tallies (message, reaction, count) VALUES (?1, ?2, 0)";
const BEGUN: &str = "UPDATE messages SET tallies = tallies + 1 WHERE id = ?1";
pub(super) const UNREACT: &str = "DELETE FROM reactions WHERE tally = ?1 AND user = ?2";
const LESSEN: &str = "UPDATE tallies SET count = count - 1 WHERE id = ?1 RETURNING message, count";
const ENDED: &str = "UPDATE messages SET tallies = tallies - 1 WHERE id = ?1";
