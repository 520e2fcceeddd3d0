// ---- rooms ----
//
// What a client of rooms has to do: ask for the rooms of its user once it is connected, and then
// listen. Who is a member, and so what this connection receives, is the server's to know: nothing
// is subscribed to here, and after a reconnect everything comes by itself.

const rooms = new Map();          // id -> {room, member, members, list, notes, typing, unread}
const invitations = new Map();    // room id -> {room, invite, by}
let current = null;               // the id of the room that is shown
let opening = null;               // the id of a room to show as soon as it is there

/** Asks the server, and shows what is wrong when something is. */
async function attempt(command) {
  try {
    return await ask(command);
  } catch (fault) {
    toast(`${fault.code}: ${fault.message}`);
    return null;
  }
}

function toast(text) {
  const shown = element('div', 'toast', text);
  shown.dataset.testid = 'toast';
  $('toasts').append(shown);
  setTimeout(() => shown.remove(), 8000);
}

/** After the connection is there: which rooms are mine, and which could be. */
async function openRooms() {
  $('rooms-hint').hidden = Boolean(me.user);
  $('rooms-view').classList.toggle('nobody', !me.user);
  if (!me.user) return;
  const mine = await attempt({ type: 'user.rooms', user_id: me.user });
  if (!mine) return;
  const ids = new Set(mine.rooms.map(room => room.id));
  for (const id of rooms.keys()) if (!ids.has(id)) rooms.delete(id);
  for (const room of mine.rooms) keep(room);
  if (!rooms.has(current)) current = sessionStorage.getItem('throng.room');
  if (!rooms.has(current)) current = rooms.size > 0 ? rooms.keys().next().value : null;
  for (const [id, { list }] of rooms) {
    refresh(id);
    // What is shown, or was, may have a hole since.
    if (list.loaded) load(list);
  }
  if (thread && !rooms.has(thread.room)) closeThread();
  if (thread) load(thread);
  if (current) showRoom(current);
  readStatus();
  countUnread();
  listPublic();
  drawRooms();
}

/** Shows how the server says that the user is: it may have been started anew, and know nothing. */
async function readStatus() {
  const own = await ask({ type: 'presence.get', user_id: me.user }).catch(() => null);
  if (own && [...$('status').options].some(({ value }) => value === own.status)) $('status').value = own.status;
}

function keep(room) {
  const known = rooms.get(room.id);
  if (known) known.room = room;
  else rooms.set(room.id, { room, member: null, members: new Map(), list: newList(room.id), notes: [], typing: new Set(), unread: 0 });
  return rooms.get(room.id);
}

/** Asks for what a room says about itself, and who is in it. */
async function refresh(id) {
  const [got, page] = await Promise.all([
    ask({ type: 'room.get', room_id: id }),
    ask({ type: 'room.members', room_id: id, limit: 200 }),
  ].map(asked => asked.catch(() => null)));
  if (!got || !page) return;
  const entry = keep(got.room);
  entry.member = got.member;
  entry.members = new Map(page.members.map(member => [member.user_id, member]));
  if (opening === id) { opening = null; showRoom(id); }
  else drawRooms();
}

const refreshing = new Map();     // id -> timer: many events at once are one question

function refreshSoon(id) {
  clearTimeout(refreshing.get(id));
  refreshing.set(id, setTimeout(() => refresh(id), 60));
}

async function listPublic() {
  const text = $('room-search').value.trim();
  const query = text ? { text } : {};
  const page = await ask({ type: 'room.list', private: false, archived: false, limit: 20, ...query }).catch(() => null);
  const others = (page?.rooms ?? []).filter(room => !rooms.has(room.id));
  $('public-rooms').replaceChildren(...others.map(room => {
    const row = element('li', 'room-row');
    const join = button('Join', 'join-public', () => joinRoom(room.id));
    join.dataset.room = room.id;
    row.append(element('span', 'name', room.name), element('span', 'note', `${room.members}`), join);
    return row;
  }));
}

/** Everything that is about a room or a user comes here. */
function receiveRoom(push) {
  const { type, room_id: id, data } = push;
  const entry = rooms.get(id);
  switch (type) {
    case 'joined':
      // From here on everything is heard; what was said before is read.
      for (const list of listsOf(id)) if (list.loaded || list.busy) load(list);
      refresh(id).then(listPublic);
      break;
    case 'left':
      rooms.delete(id);
      if (thread?.room === id) closeThread();
      if (current === id) {
        current = null;
        stopChanging();
        if (rooms.size > 0) showRoom(rooms.keys().next().value);
      }
      toast(`You are out of ${entry?.room.name ?? id}: ${data.reason}`);
      listPublic();
      break;
    case 'message':
      if (!entry) break;
      entry.typing.delete(push.user_id);
      hearMessage(entry, push);
      if (id !== current) break;
      drawBoth();
      drawTyping(entry);
      return;
    case 'gap':
      for (const list of listsOf(id)) load(list);
      break;
    case 'typing':
      if (data.typing) entry?.typing.add(data.user_id);
      else entry?.typing.delete(data.user_id);
      break;
    case 'room.members':
      if (!entry) break;
      for (const { user_id: user } of data.left ?? []) entry.members.delete(user);
      for (const presence of data.presence ?? []) {
        const member = entry.members.get(presence.user_id);
        if (member) member.presence = presence;
      }
      entry.room.members = data.members;
      // Who has come is known by name and role only: ask for the rest.
      if (data.joined) refreshSoon(id);
      break;
    case 'room.invited':
      invitations.set(id, data);
      break;
    case 'room.added':
      toast(`${data.by ?? 'the server'} has added you to ${data.room.name}`);
      break;
    case 'room.read':
      if (data.user_id === me.user && id !== current) countUnread();
      break;
    case 'message.edited':
    case 'message.deleted':
    case 'message.reaction_added':
    case 'message.reaction_removed':
      CHANGES[type](push);
      drawBoth();
      return;
    default:
      if (!entry || !type.startsWith('room.')) break;
      note(entry, told(type, data), push.published_at);
      refreshSoon(id);
  }
  drawRooms();
}

/** What an event says, in words. */
function told(type, data) {
  const by = data.by ? ` by ${data.by}` : '';
  const why = data.reason ? `: ${data.reason}` : '';
  const what = {
    'room.member_kicked': `${data.user_id} was removed${by}${why}`,
    'room.member_banned': `${data.user_id} was banned${by}${why}`,
    'room.member_unbanned': `${data.user_id} may come back`,
    'room.member_muted': `${data.user_id} was muted${by}${why}`,
    'room.member_unmuted': `${data.user_id} may speak again`,
    'room.owner_changed': `${data.user_id} is the owner now`,
    'room.role_changed': `${data.user_id} is ${data.role} now`,
    'room.message_pinned': `message ${data.message_id} was pinned${by}`,
    'room.message_unpinned': `message ${data.message_id} was taken down${by}`,
    'room.slow_mode': data.slow_mode_ms ? `slow mode: ${data.slow_mode_ms / 1000} s${by}` : `slow mode is over${by}`,
  };
  return what[type] ?? type.slice(5).replaceAll('_', ' ') + by;
}

// ---- what the user does ----

async function joinRoom(id, invite) {
  opening = id;
  const done = await attempt(invite
    ? { type: 'invite.accept', invite }
    : { type: 'room.join', room_id: id });
  if (!done) { opening = null; return; }
  invitations.delete(done.room.id);
  opening = done.room.id;
  refresh(done.room.id);
}

$('create-form').onsubmit = async event => {
  event.preventDefault();
  const name = $('create-name').value.trim();
  if (!name) return;
  const made = await attempt({ type: 'room.create', name, private: $('create-private').checked });
  if (!made) return;
  $('create-name').value = '';
  opening = made.room.id;
  refresh(made.room.id);
};

$('join-form').onsubmit = event => {
  event.preventDefault();
  const text = $('join-input').value.trim();
  $('join-input').value = '';
  // An invite has a dot, and ids that we make have none.
  if (text) joinRoom(text, text.includes('.') ? text : undefined);
};

$('room-search').oninput = () => listPublic();

$('invite-form').onsubmit = async event => {
  event.preventDefault();
  const user = $('invite-input').value.trim();
  $('invite-input').value = '';
  const to = user ? { user_id: user, max_uses: 1 } : {};
  const made = await attempt({ type: 'invite.create', room_id: current, expires_in_ms: 24 * 3600 * 1000, ...to });
  if (!made) return;
  $('invite-code').hidden = false;
  $('invite-code').textContent = made.invite;
};

let typedAt = -Infinity;

$('room-input').oninput = () => {
  // Every second is often enough: it lasts three.
  if ($('room-input').value === '') return stopTyping();
  if (performance.now() - typedAt < 1000) return;
  typedAt = performance.now();
  send({ type: 'typing.start', room_id: current });
};

function stopTyping() {
  if (typedAt > 0) send({ type: 'typing.stop', room_id: current });
  typedAt = -Infinity;
}

$('status').onchange = () => attempt({ type: 'presence.set', status: $('status').value });

const DAY = 24 * 3600 * 1000;
const MEMBER_ACTIONS = [
  // [what it is called, which permission it needs, the command]
  ['Message', null, user => directWith(user)],
  ['Mute for a day', 'mute_members', user => ({ type: 'room.mute', user_id: user, duration_ms: DAY })],
  ['Unmute', 'mute_members', user => ({ type: 'room.unmute', user_id: user })],
  ['Remove', 'remove_members', user => ({ type: 'room.kick', user_id: user })],
  ['Ban', 'ban_members', user => ({ type: 'room.ban', user_id: user, reason: 'banned on the page' })],
  ['Make moderator', 'manage_roles', user => ({ type: 'room.set_role', user_id: user, role: 'moderator' })],
  ['Make admin', 'manage_roles', user => ({ type: 'room.set_role', user_id: user, role: 'admin' })],
  ['Make member', 'manage_roles', user => ({ type: 'room.set_role', user_id: user, role: 'member' })],
  ['Make owner', 'owner', user => ({ type: 'room.transfer', user_id: user })],
];

const ROOM_ACTIONS = [
  ['Lock', 'manage_room', room => !room.locked, () => ({ type: 'room.lock' })],
  ['Unlock', 'manage_room', room => room.locked, () => ({ type: 'room.unlock' })],
  ['Slow mode', 'manage_room', room => !room.slow_mode_ms, () => ({ type: 'room.slow_mode', slow_mode_ms: 5000 })],
  ['End slow mode', 'manage_room', room => room.slow_mode_ms > 0, () => ({ type: 'room.slow_mode', slow_mode_ms: 0 })],
  ['Archive', 'manage_room', room => !room.archived, () => ({ type: 'room.archive' })],
  ['Restore', 'manage_room', room => room.archived, () => ({ type: 'room.restore' })],
  ['Unban all', 'ban_members', () => true, () => unbanAll()],
  ['Leave', null, room => room.kind !== 'direct', () => ({ type: 'room.leave' })],
  ['Delete', 'owner', () => true, () => ({ type: 'room.delete' })],
];

async function directWith(user) {
  const made = await attempt({ type: 'room.direct', user_id: me.user, other_id: user });
  if (made) { opening = made.room.id; refresh(made.room.id); }
}

async function unbanAll() {
  const room = current;
  const page = await attempt({ type: 'room.bans', room_id: room });
  for (const { user_id: user } of page?.bans ?? []) await attempt({ type: 'room.unban', room_id: room, user_id: user });
}

/** Whether the user may do something in the room that is shown. */
function may(permission) {
  const own = rooms.get(current)?.member;
  if (permission === 'owner') return own?.role === 'owner';
  return permission === null || own?.permissions.includes(permission);
}

async function act(made) {
  // An action is a command about the room, or has been done already.
  const command = await made;
  if (command?.type) await attempt({ ...command, room_id: current });
}

// ---- what is shown ----

function button(text, id, onclick) {
  const made = element('button', '', text);
  made.type = 'button';
  made.dataset.testid = id;
  made.onclick = onclick;
  return made;
}

/** A menu that does something as soon as an entry is chosen. */
function menu(id, label, entries) {
  const made = element('select', 'menu');
  made.dataset.testid = id;
  made.setAttribute('aria-label', label);
  made.append(new Option('…', ''), ...entries.map(([text], index) => new Option(text, index)));
  made.onchange = () => { const [, run] = entries[made.value]; made.value = ''; run(); };
  return made;
}

function drawRooms() {
  $('my-rooms').replaceChildren(...[...rooms].map(([id, { room, unread }]) => {
    const row = element('li', id === current ? 'room-row current' : 'room-row');
    const open = button(room.name, 'room', () => showRoom(id));
    if (room.kind === 'direct') open.textContent = '@ ' + id.split(':').slice(2).filter(user => user !== me?.user).join(':');
    open.className = 'link name';
    open.dataset.room = id;
    row.append(open);
    if (room.private && room.kind !== 'direct') row.append(element('span', 'note', 'private'));
    if (unread > 0) row.append(element('span', 'unread', String(unread)));
    return row;
  }));
  $('invitations').replaceChildren(...[...invitations].map(([id, { room, invite, by }]) => {
    const row = element('li', 'room-row');
    row.append(
      element('span', 'name', `${by ?? 'the server'} invites you to ${room.name}`),
      button('Accept', 'accept', () => joinRoom(id, invite)),
      button('×', 'dismiss', () => { invitations.delete(id); drawRooms(); }),
    );
    return row;
  }));
  drawRoom();
}

function drawRoom() {
  const entry = rooms.get(current);
  $('room-card').hidden = !entry;
  $('room-side').hidden = !entry;
  $('no-room').hidden = Boolean(entry);
  if (!entry) return;
  const { room, member, members } = entry;
  $('room-name').textContent = room.name;
  const marks = [
    room.private && 'private', room.locked && 'locked', room.archived && 'archived',
    room.slow_mode_ms > 0 && `slow mode ${room.slow_mode_ms / 1000} s`,
  ];
  $('room-note').textContent = [`${room.members} in it`, ...marks.filter(Boolean)].join(' · ');
  $('room-card').dataset.room = current;
  $('room-card').dataset.role = member?.role ?? '';
  drawBoth();
  drawTyping(entry);
  const actions = ROOM_ACTIONS
    .filter(([, permission, when]) => may(permission) && when(room))
    .map(([text, , , command]) => [text, () => act(command())]);
  $('room-menu').replaceChildren(menu('room-action', 'What to do with the room', actions));
  $('invite-form').hidden = !may('invite_members') || room.kind === 'direct';
  if ($('invite-code').dataset.room !== current) { $('invite-code').hidden = true; $('invite-code').dataset.room = current; }
  drawRoomMembers(members);
}

function drawTyping({ typing }) {
  const others = [...typing].filter(user => user !== me?.user);
  $('typing').textContent = others.length === 0 ? '\u00a0' : `${others.join(', ')} ${others.length === 1 ? 'is' : 'are'} typing…`;
}

const RANKS = ['owner', 'admin', 'moderator', 'member', 'guest'];

function drawRoomMembers(members) {
  const sorted = [...members.values()].sort((a, b) =>
    RANKS.indexOf(a.role) - RANKS.indexOf(b.role) || a.user_id.localeCompare(b.user_id));
  $('room-members').replaceChildren(...sorted.map(member => {
    const { user_id: user, role, presence, muted } = member;
    const status = presence?.status ?? 'offline';
    const row = element('li', 'member-row');
    Object.assign(row.dataset, { testid: 'room-member', user, role, status, muted });
    const dot = element('span', 'dot ' + status);
    dot.title = status;
    row.append(dot, element('span', 'name', user));
    if (role !== 'member') row.append(element('span', 'badge', role));
    if (muted) row.append(element('span', 'badge warn', 'muted'));
    if (user !== me?.user) {
      const actions = MEMBER_ACTIONS
        .filter(([, permission]) => may(permission))
        .map(([text, , command]) => [text, () => act(command(user))]);
      row.append(menu('member-action', 'What to do with ' + user, actions));
    }
    return row;
  }));
}

for (const tab of document.querySelectorAll('[data-view]')) {
  tab.onclick = () => choose(tab.dataset.view);
}

function choose(view) {
  for (const tab of document.querySelectorAll('[data-view]')) tab.setAttribute('aria-selected', tab.dataset.view === view);
  $('rooms-view').hidden = view !== 'rooms';
  $('channels-view').hidden = view !== 'channels';
}

choose(isOpen ? 'rooms' : 'channels');
