// ---- messages ----
//
// A list is a run of messages without a hole: the end of a room, or of a thread. It is read again
// from its end whenever the connection, or the membership, begins anew; what is pushed meanwhile is
// merged by its id. A message that changes while it is read is read once more.

const PAGE_SIZE = 100;
const MOST_PAGES = 10;            // that are read again at once; what is older is asked for later
const MOST_SHOWN = 1000;
let version = 0;                  // counts changes, so that only what has changed is drawn anew
let thread = null;                // the list of the thread that is shown

function newList(room, root = null) {
  return {
    room, root, messages: new Map(), loaded: false,
    older: null, cut: null,       // where older ones go on: a cursor, or a moment
    queue: Promise.resolve(), waiting: null, busy: false,
    heard: new Set(), touched: new Set(), again: new Set(), drawn: new Map(),
  };
}

/** Ids are numbers too large for a number. */
const byId = (one, other) => one.length - other.length || (one < other ? -1 : one > other ? 1 : 0);
const idsOf = list => [...list.messages.keys()].sort(byId);
const belongs = (list, message) => list.root
  ? message.thread_id === list.root || message.message_id === list.root
  : !message.thread_id;
const listsOf = room => [rooms.get(room)?.list, thread?.room === room ? thread : null].filter(Boolean);

function put(list, message) {
  list.messages.set(message.message_id, { ...message, version: ++version });
}

// ---- what is read ----

/** One thing after the other for each list; a connection that breaks ends it. */
function enqueue(list, task) {
  list.queue = list.queue.then(async () => {
    list.busy = true;
    list.heard.clear();
    list.touched.clear();
    try {
      await task();
    } catch (fault) {
      // Without messages that are kept, what is heard is all there is.
      if (fault.code === 'feature_disabled') list.loaded = true;
      else if (fault.code !== 'not_connected') toast(`${fault.code}: ${fault.message}`);
    }
    list.busy = false;
    for (const id of list.touched) readAgain(list, id);
    drawMessages(list);
  });
  return list.queue;
}

function readPage(list, where) {
  const what = list.root
    ? { type: 'message.thread', message_id: list.root }
    : { type: 'message.history', roots: true };
  return ask({ ...what, room_id: list.room, limit: PAGE_SIZE, ...where });
}

/** Reads a list again, as far back as it was known: afterwards it has no hole. */
function load(list) {
  list.waiting ??= enqueue(list, async () => {
    list.waiting = null;
    const [first] = idsOf(list);
    const found = new Map();
    let older = null;
    let pages = 0;
    do {
      const page = await readPage(list, older ? { cursor: older } : {});
      for (const message of page.messages) found.set(message.message_id, { ...message, version: ++version });
      older = page.older;
    } while (older && first && ++pages < MOST_PAGES && ![...found.keys()].some(id => byId(id, first) <= 0));
    if (list.root) {
      const root = await ask({ type: 'message.get', room_id: list.room, message_id: list.root });
      found.set(list.root, { ...root, version: ++version });
    }
    for (const id of list.heard) if (!found.has(id) && list.messages.has(id)) found.set(id, list.messages.get(id));
    Object.assign(list, { messages: found, older, cut: null, loaded: true });
  });
  return list.waiting;
}

/** Reads the page before what is known. */
function loadOlder(list) {
  return enqueue(list, async () => {
    let added = 0;
    while (added === 0 && (list.older || list.cut)) {
      const page = await readPage(list, list.older ? { cursor: list.older } : { until: list.cut });
      const unknown = page.messages.filter(message => !list.messages.has(message.message_id));
      for (const message of unknown) put(list, message);
      added = unknown.length;
      Object.assign(list, { older: page.older, cut: null });
    }
  });
}

/** Reads one message again, soon: many changes at once are one question. */
function readAgain(list, id) {
  if (list.again.size === 0) setTimeout(() => enqueue(list, async () => {
    const ids = [...list.again];
    list.again.clear();
    for (const known of ids.filter(known => list.messages.has(known))) {
      try {
        put(list, await ask({ type: 'message.get', room_id: list.room, message_id: known }));
      } catch (fault) {
        // One that is not kept any more is no reason not to read the others.
        if (fault.code !== 'unknown_message') throw fault;
        list.messages.delete(known);
      }
    }
  }), 60);
  list.again.add(id);
}

/** Forgets the oldest of too many; they can be read again. */
function cutOff(list) {
  if (list.messages.size <= MOST_SHOWN || list.root) return;
  const ids = idsOf(list);
  const most = ids.length - MOST_SHOWN * 0.8;
  for (const id of ids.slice(0, most)) list.messages.delete(id);
  // A little later than the first that stays: what is read twice is known by its id.
  const first = Date.parse(list.messages.get(ids[most]).sent_at);
  Object.assign(list, { older: null, cut: new Date(first + 1000).toISOString() });
}

// ---- what is heard ----

function hearMessage(entry, push) {
  const { message_id: id, user_id, thread_id, room_id, data, text, base64, published_at: sent_at } = push;
  if (id === undefined) { note(entry, `${user_id ?? 'the server'}, not to all: ${content(push)}`, sent_at); return; }
  const message = { message_id: id, user_id, thread_id, room_id, data, text, base64, sent_at };
  for (const list of listsOf(room_id)) {
    if (belongs(list, message) && (list.loaded || list.busy)) {
      if (list.busy) list.heard.add(id);
      if (!list.messages.has(id)) put(list, message);
      if (!list.busy && (room_id !== current || isAtEnd($('room-feed')))) cutOff(list);
    }
    // How many answers there are, the server counts.
    if (thread_id && list.messages.has(thread_id)) readAgain(list, thread_id);
  }
  entry.room.last_message_id = id;
  if (room_id === current && isSeen()) markRead(room_id, id);
  else if (user_id !== me?.user) entry.unread++;
}

/** A change of a message: `change` makes the new one of the one that is known. */
function hearChange(room, id, change) {
  for (const list of listsOf(room)) {
    if (list.busy) list.touched.add(id);
    const known = list.messages.get(id);
    if (known) put(list, change(known));
    if (known?.thread_id && list.messages.has(known.thread_id)) readAgain(list, known.thread_id);
  }
}

/** A change that was too large to be told. */
function hearLarge(room, id) {
  for (const list of listsOf(room)) {
    if (list.busy) list.touched.add(id);
    else readAgain(list, id);
  }
}

const CHANGES = {
  'message.edited': ({ room_id: room, data }) => data.truncated
    ? hearLarge(room, data.message_id)
    : hearChange(room, data.message_id, () => data),
  'message.deleted': ({ room_id: room, data }) => hearChange(room, data.message_id,
    ({ data: _, text, base64, ...rest }) => ({ ...rest, deleted: { at: data.at, by: data.by } })),
  'message.reaction_added': push => hearReaction(push, true),
  'message.reaction_removed': push => hearReaction(push, false),
};

function hearReaction({ room_id: room, data }, added) {
  const { message_id: id, user_id: user, reaction, count } = data;
  hearChange(room, id, known => {
    const reactions = [...known.reactions ?? []];
    const at = reactions.findIndex(it => it.reaction === reaction);
    const users = (reactions[at]?.users ?? []).filter(it => it !== user);
    if (added) users.push(user);
    reactions.splice(at < 0 ? reactions.length : at, at < 0 ? 0 : 1, ...(count > 0 ? [{ reaction, count, users }] : []));
    return { ...known, reactions };
  });
}

/** A line that is no message, after the last message that there is. */
function note(entry, text, at) {
  entry.notes.push({ after: idsOf(entry.list).at(-1) ?? '', text, at });
  if (entry.notes.length > 100) entry.notes.shift();
}

// ---- what is read by the user ----

const reading = new Map();        // room -> the newest id that is to be marked as read

const isSeen = () => document.visibilityState === 'visible' && !$('rooms-view').hidden;

function markRead(room, id) {
  if (reading.size === 0) setTimeout(() => {
    for (const [of, newest] of reading) send({ type: 'room.mark_read', room_id: of, message_id: newest });
    reading.clear();
  }, 200);
  reading.set(room, id);
}

document.addEventListener('visibilitychange', () => { if (isSeen() && rooms.has(current)) showRoom(current); });

async function countUnread() {
  const counted = await ask({ type: 'message.unread' }).catch(() => null);
  for (const { room_id: id, unread } of counted?.rooms ?? []) {
    if (rooms.has(id) && id !== current) rooms.get(id).unread = unread;
  }
  drawRooms();
}

/** Shows a room, and what was said in it. */
function showRoom(id) {
  const entry = rooms.get(id);
  if (current !== id) { closeThread(); stopChanging(); }
  current = id;
  sessionStorage.setItem('throng.room', id);
  entry.unread = 0;
  const newest = entry.room.last_message_id;
  if (newest && newest !== '0') markRead(id, newest);
  drawRooms();
  return entry.list.loaded ? Promise.resolve() : load(entry.list);
}

// ---- what is shown ----

const REACTIONS = ['👍', '❤️', '😂', '🎉', '👀'];
let picking = null;               // the message that a reaction is chosen for
let changing = null;              // the message that the composer changes
const revisions = new Map();       // a message after so many edits -> what it said before

const isAtEnd = feed => feed.scrollHeight - feed.scrollTop - feed.clientHeight < 60;

/** Draws a list, if it is one that is shown; follows its end if that was in sight. */
function drawMessages(list) {
  const inThread = list === thread;
  if (!inThread && list !== rooms.get(current)?.list) return;
  const feed = $(inThread ? 'thread-feed' : 'room-feed');
  const isNew = feed.dataset.shows !== list.room + '/' + (list.root ?? '');
  const follows = isNew || isAtEnd(feed);
  feed.dataset.shows = list.room + '/' + (list.root ?? '');
  feed.dataset.loaded = list.loaded;
  feed.setAttribute('aria-busy', list.busy);
  place(feed, itemsOf(list, rooms.get(list.room)));
  if (follows) feed.scrollTop = feed.scrollHeight;
}

function itemsOf(list, entry) {
  const notes = list.root ? [] : entry.notes.map(made => [made.after, made.item ??= noteItem(made)]);
  const ids = idsOf(list);
  for (const id of list.drawn.keys()) if (!list.messages.has(id)) list.drawn.delete(id);
  const rights = ['delete_message', 'pin_messages'].filter(may).join();
  const items = ids.map(id => [id, itemOf(list, list.messages.get(id), rights)]);
  // The sort is stable: a note comes after its message.
  const all = [...items, ...notes].sort(([one], [other]) => byId(one, other)).map(([, item]) => item);
  if (list.older || list.cut) all.unshift(list.more ??= moreItem(list));
  return all;
}

/** Makes the children of a node these; those that stay are not touched. */
function place(parent, items) {
  const wanted = new Set(items);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const item of items) {
    if (item === next) next = next.nextElementSibling;
    else parent.insertBefore(item, next);
  }
}

/** The item of a message, made anew only if it has changed; the focus stays where it is. */
function itemOf(list, message, rights) {
  const { message_id: id } = message;
  const key = [message.version, picking === id, revisions.has(revisionKey(message)), rights, me?.user].join('|');
  const drawn = list.drawn.get(id);
  if (drawn?.key === key) return drawn.item;
  const item = messageItem(list, message);
  if (drawn?.item.contains(document.activeElement)) {
    const { testid, reaction } = document.activeElement.dataset;
    drawn.item.replaceWith(item);
    [...item.querySelectorAll('button')].find(it => it.dataset.testid === testid && it.dataset.reaction === reaction)?.focus();
  }
  list.drawn.set(id, { key, item });
  return item;
}

function messageItem(list, message) {
  const { message_id: id, user_id: user, deleted, sent_at: at, edits, replies } = message;
  const item = element('li', user === me?.user ? 'own' : '');
  item.dataset.testid = list.root ? 'thread-message' : 'room-message';
  item.dataset.id = id;
  item.classList.toggle('deleted', Boolean(deleted));
  item.classList.toggle('root', id === list.root);
  item.tabIndex = -1;
  const said = element('div', 'said');
  said.append(element('span', 'what', deleted ? `deleted${deleted.by ? ' by ' + deleted.by : ''}` : content(message)));
  if (edits && !deleted) said.append(mark('edited', 'edited', () => toggleRevisions(message)));
  if (revisions.has(revisionKey(message))) said.append(revisionsOf(message));
  if (!deleted) said.append(countersOf(message, list));
  if (replies && !list.root) said.append(mark(replies.count === 1 ? '1 answer' : `${replies.count} answers`, 'replies', () => openThread(list.room, id)));
  const time = element('time', 'time', new Date(at).toLocaleTimeString('en-GB'));
  time.dateTime = at;
  item.append(time, element('span', 'who', user ?? 'server'), said, actsOf(list, message));
  return item;
}

function mark(text, testid, onclick) {
  const made = button(text, testid, onclick);
  made.className = 'mark';
  return made;
}

/** What can be done with a message. */
function actsOf(list, message) {
  const { message_id: id, user_id: user, deleted } = message;
  const about = { room_id: list.room, message_id: id };
  const own = user !== undefined && user === me?.user;
  const acts = element('span', 'acts');
  const add = (when, text, run) => { if (when) acts.append(button(text, text, run)); };
  add(!deleted, 'react', () => { picking = picking === id ? null : id; drawBoth(); });
  add(!list.root, 'reply', () => openThread(list.room, id));
  add(own && !deleted, 'edit', () => startChanging(message));
  add(!deleted && (own || may('delete_message')), 'delete', () => attempt({ type: 'message.delete', ...about }));
  add(!deleted && !list.root && may('pin_messages'), 'pin', () => attempt({ type: 'room.pin', ...about }));
  return acts;
}

function countersOf(message, list) {
  const row = element('div', 'counters');
  const given = message.reactions ?? [];
  const choices = picking === message.message_id ? REACTIONS.filter(it => !given.some(({ reaction }) => reaction === it)) : [];
  for (const { reaction, count = 0, users = [] } of [...given, ...choices.map(reaction => ({ reaction }))]) {
    const own = users.includes(me?.user);
    const made = button(count ? `${reaction} ${count}` : reaction, count ? 'reaction' : 'choice', () => toggleReaction(list, message, reaction, own));
    made.dataset.reaction = reaction;
    made.setAttribute('aria-pressed', own);
    made.title = users.join(', ');
    row.append(made);
  }
  return row;
}

async function toggleReaction({ room }, { message_id }, reaction, own) {
  const about = { room_id: room, message_id, reaction };
  picking = null;
  const done = await attempt({ type: own ? 'message.unreact' : 'message.react', ...about });
  // Only the first users are named: one's own may be among the others.
  if (done?.changed === false && !own) await attempt({ type: 'message.unreact', ...about });
  drawBoth();
}

const revisionKey = ({ room_id, message_id, edits }) => `${room_id}/${message_id}/${edits}`;

async function toggleRevisions(message) {
  const { room_id, message_id } = message;
  if (!revisions.delete(revisionKey(message))) {
    const read = await attempt({ type: 'message.revisions', room_id, message_id });
    if (read) revisions.set(revisionKey(message), read.revisions);
  }
  drawBoth();
}

function revisionsOf(message) {
  const made = element('ol', 'revisions');
  made.dataset.testid = 'revisions';
  made.setAttribute('aria-label', 'What it said before');
  made.append(...revisions.get(revisionKey(message)).map(revision => element('li', '', content(revision))));
  return made;
}

function noteItem({ text, at }) {
  const item = element('li', 'event');
  item.dataset.testid = 'room-event';
  item.append(element('span', 'time', new Date(at).toLocaleTimeString('en-GB')), element('span', 'what', text));
  return item;
}

function moreItem(list) {
  const item = element('li', 'more');
  item.append(button('older messages', 'older', () => showOlder(list)));
  return item;
}

/** Shows what is older, above what is in sight, which stays where it is. */
async function showOlder(list) {
  if (list.busy) return;
  const feed = $(list.root ? 'thread-feed' : 'room-feed');
  const below = feed.scrollHeight - feed.scrollTop;
  await loadOlder(list);
  feed.scrollTop = feed.scrollHeight - below;
}

$('room-feed').onscroll = () => {
  const list = rooms.get(current)?.list;
  if (list?.loaded && (list.older || list.cut) && $('room-feed').scrollTop < 40) showOlder(list);
};

function drawBoth() {
  if (rooms.has(current)) drawMessages(rooms.get(current).list);
  if (thread) drawMessages(thread);
}

// ---- changing, answering, looking for ----

function startChanging(message) {
  changing = message;
  $('composing').hidden = false;
  $('room-input').value = content(message);
  $('room-input').focus();
}

function stopChanging() {
  if (changing) $('room-input').value = '';
  changing = null;
  $('composing').hidden = true;
}

$('composing-stop').onclick = stopChanging;
$('room-input').onkeydown = event => { if (event.key === 'Escape') stopChanging(); };

/** Sends what is in an input, or puts it back. */
async function say(input, command) {
  const text = input.value;
  if (text === '') return false;
  input.value = '';
  // A JSON string, so that what looks like a number stays a text.
  const sent = await attempt({ ...command, data: text });
  if (!sent && input.value === '') input.value = text;
  return Boolean(sent);
}

$('room-form').onsubmit = async event => {
  event.preventDefault();
  if (!current) return;
  typedAt = -Infinity;
  if (!changing) { await say($('room-input'), { type: 'room.send', room_id: current }); return; }
  const { room_id, message_id } = changing;
  if (await say($('room-input'), { type: 'message.edit', room_id, message_id })) stopChanging();
};

async function openThread(room, root) {
  thread = newList(room, root);
  const known = rooms.get(room)?.list.messages.get(root);
  if (known) put(thread, known);
  $('thread-card').hidden = false;
  drawMessages(thread);
  $('thread-input').focus();
  await load(thread);
}

function closeThread() {
  thread = null;
  $('thread-card').hidden = true;
  $('thread-input').value = '';
}

$('thread-close').onclick = closeThread;
$('thread-card').onkeydown = event => { if (event.key === 'Escape') closeThread(); };
$('thread-form').onsubmit = event => {
  event.preventDefault();
  if (thread) say($('thread-input'), { type: 'room.send', room_id: thread.room, thread_id: thread.root });
};

$('search-form').onsubmit = async event => {
  event.preventDefault();
  const query = $('search-input').value.trim();
  if (!query) { $('search-card').hidden = true; return; }
  const found = await attempt({ type: 'message.search', query, limit: 50 });
  if (!found) return;
  $('search-card').hidden = false;
  $('search-note').textContent = found.messages.length === 0 ? 'nothing' : `${found.messages.length}${found.older ? ' newest' : ''}`;
  $('search-results').replaceChildren(...found.messages.map(resultItem));
};

$('search-close').onclick = () => { $('search-card').hidden = true; $('search-input').focus(); };

function resultItem(message) {
  const { room_id: room, user_id: user, sent_at: at } = message;
  const open = button('', 'result', () => jump(message));
  const where = `${user ?? 'server'} in ${rooms.get(room)?.room.name ?? room} · ${new Date(at).toLocaleString('en-GB')}`;
  open.append(element('small', '', where), content(message));
  const item = element('li');
  item.append(open);
  return item;
}

/** Shows a message where it was said. */
async function jump({ room_id: room, message_id: id, thread_id: root }) {
  if (!rooms.has(room)) return;
  await showRoom(room);
  if (root && current === room) await openThread(room, root);
  const of = root ? thread : rooms.get(room)?.list;
  // Whatever is waited for, the room may be left and the thread closed meanwhile.
  const isShown = () => current === room && of?.root === (root ?? null) && listsOf(room).includes(of);
  for (let pages = 0; isShown() && !of.messages.has(id) && (of.older || of.cut) && pages < 50; pages++) await loadOlder(of);
  if (!isShown()) return;
  drawMessages(of);
  const item = of.drawn.get(id)?.item;
  if (!item) { toast('That message is too far back.'); return; }
  item.classList.add('flash');
  setTimeout(() => item.classList.remove('flash'), 2500);
  item.scrollIntoView({ block: 'center' });
  item.focus({ preventScroll: true });
}
