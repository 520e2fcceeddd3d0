//! What there is to choose about the file.

/// What there is to choose about the file of a [`SqliteStore`](super::SqliteStore).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// When what was written is on the disk. [`Durability::Full`] unless set. The file says with
    /// which it was written last, so that it may be changed at any time; that waits for those who
    /// read the file, and fails if they take long.
    pub durability: Durability,
    /// Whether the whole file is checked when it is opened, its indexes against what they lead to:
    /// about 10 s for a million messages. If it was written with [`Durability::Full`] its log as
    /// well, which is read into memory. Yes unless set; without it, damage may hide messages and
    /// nobody is told.
    pub check: bool,
    /// How many reads may go on at the same time, each on a connection of its own; those beyond
    /// wait. At least 1; 2 unless set. More than
    /// [`MessagesConfig::readers`](crate::messages::MessagesConfig::readers) are not used. Each
    /// takes up to 2 MB of memory, and so do one for searches and one for cleaning.
    pub readers: usize,
}

impl SqliteOptions {
    /// Sets [`Self::durability`].
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets [`Self::check`].
    #[must_use]
    pub fn check(mut self, check: bool) -> Self {
        self.check = check;
        self
    }

    /// Sets [`Self::readers`].
    #[must_use]
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = readers;
        self
    }
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            check: true,
            readers: 2,
        }
    }
}

/// When what was written is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Before `write` returns: what it reports survives the end of the power.
    #[default]
    Full,
    /// Sometime later: what was reported survives the end of the process; when the power ends,
    /// the last of it may be lost, but nothing is left half written.
    Normal,
}
