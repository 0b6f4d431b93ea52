//! Who is connected: places are limited, in all and for each neighbourhood. When all are taken, the connection that
//! has been idle longest gives way to the newcomer, so that thousands of idle connections keep nobody out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Where a connection comes from: IPv4 /24, IPv6 /48; none for loopback.
type Prefix = Option<[u8; 6]>;

fn prefix_of(address: IpAddr) -> Prefix {
    let address = address.to_canonical();
    if address.is_loopback() {
        return None;
    }
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            Some([0, 0, 0, a, b, c])
        }
        IpAddr::V6(v6) => v6.octets().first_chunk().copied(),
    }
}

/// All connections of a server.
pub(super) struct Connections {
    table: Mutex<Table>,
    max: usize,
    per_prefix_max: usize,
}

#[derive(Default)]
struct Table {
    next: u64,
    open: BTreeMap<u64, (Prefix, Arc<Activity>)>,
}

/// What became of a newcomer.
pub(super) enum Admission {
    /// It has a place.
    Admitted(Place),
    /// It has the place of an idle connection, which was told to close.
    Replaced(Place),
    /// Every place is taken by a connection that is being served.
    Refused,
}

impl Connections {
    pub(super) fn new(max: usize, per_prefix_max: usize) -> Arc<Self> {
        Arc::new(Self { table: Mutex::default(), max, per_prefix_max })
    }

    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Admission {
        let prefix = prefix_of(address);
        let mut table = self.table();
        let of_prefix = || table.open.values().filter(|(p, _)| *p == prefix).count();
        let crowded_prefix = prefix.is_some() && of_prefix() >= self.per_prefix_max;
        let mut replaced = false;
        if crowded_prefix || table.open.len() >= self.max {
            let candidates = table.open.iter().filter(|(_, (p, _))| !crowded_prefix || *p == prefix);
            let idle = candidates.filter_map(|(id, (_, activity))| Some((activity.idle_since()?, *id)));
            let Some((_, oldest)) = idle.min() else { return Admission::Refused };
            let (_, activity) = table.open.remove(&oldest).expect("found under the same lock");
            activity.close.notify_one();
            replaced = true;
        }
        let id = table.next;
        table.next += 1;
        let activity = Arc::new(Activity::new());
        table.open.insert(id, (prefix, Arc::clone(&activity)));
        let place = Place { connections: Arc::clone(self), id, activity };
        if replaced { Admission::Replaced(place) } else { Admission::Admitted(place) }
    }

    pub(super) fn count(&self) -> usize {
        self.table().open.len()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // The table is valid between any two statements: a panic elsewhere does not spoil it.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place; given back when dropped.
pub(super) struct Place {
    connections: Arc<Connections>,
    id: u64,
    pub(super) activity: Arc<Activity>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.table().open.remove(&self.id);
    }
}

/// What a connection does.
pub(super) struct Activity {
    opened: Instant,
    /// Requests being served in the upper 16 bits; milliseconds after `opened` of the last change in the lower 48.
    state: AtomicU64,
    /// Told when the connection must give way.
    pub(super) close: Notify,
}

const MILLIS_BITS: u32 = 48;
const ONE_REQUEST: u64 = 1 << MILLIS_BITS;

impl Activity {
    fn new() -> Self {
        Self { opened: Instant::now(), state: AtomicU64::new(0), close: Notify::new() }
    }

    /// Counts a request until the returned guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Serving {
        self.change(|requests| requests + ONE_REQUEST);
        Serving(Arc::clone(self))
    }

    /// Since when no request is being served; none while one is.
    fn idle_since(&self) -> Option<Instant> {
        let state = self.state.load(Ordering::Relaxed);
        (state < ONE_REQUEST).then(|| self.opened + Duration::from_millis(state))
    }

    /// For how long no request has been served.
    pub(super) fn idle_for(&self) -> Duration {
        self.idle_since().map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn change(&self, requests: impl Fn(u64) -> u64) {
        let now = self.opened.elapsed().as_millis() as u64 & (ONE_REQUEST - 1);
        let update = |state| Some((requests(state) & !(ONE_REQUEST - 1)) | now);
        self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update).expect("the update never declines");
    }
}

/// A request that is being served, its answer's body included.
pub(super) struct Serving(Arc<Activity>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.change(|requests| requests - ONE_REQUEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn place(admission: Admission) -> Place {
        match admission {
            Admission::Admitted(place) | Admission::Replaced(place) => place,
            Admission::Refused => panic!("refused"),
        }
    }

    #[test]
    fn the_longest_idle_gives_way_and_the_busy_stay() {
        let connections = Connections::new(2, 2);
        let busy = place(connections.admit(ip("192.0.2.1")));
        let serving = busy.activity.begin();
        let idle = place(connections.admit(ip("198.51.100.1")));
        let Admission::Replaced(newcomer) = connections.admit(ip("203.0.113.1")) else { panic!("must replace") };
        assert_eq!(connections.count(), 2);
        drop(idle);
        assert_eq!(connections.count(), 2, "its place was given on already");
        let _serving = newcomer.activity.begin();
        assert!(matches!(connections.admit(ip("203.0.113.9")), Admission::Refused));
        drop(serving);
        assert!(matches!(connections.admit(ip("203.0.113.9")), Admission::Replaced(_)));
    }

    #[test]
    fn a_neighbourhood_has_its_share_and_loopback_all() {
        let connections = Connections::new(100, 2);
        let _a = place(connections.admit(ip("192.0.2.1")));
        let _b = place(connections.admit(ip("::ffff:192.0.2.2")));
        let other = place(connections.admit(ip("192.0.3.1")));
        assert!(matches!(connections.admit(ip("192.0.2.3")), Admission::Replaced(_)));
        assert!(connections.table().open.contains_key(&other.id), "only the same neighbourhood gives way");
        let local: Vec<_> = (0..50).map(|_| connections.admit(ip("127.0.0.1"))).collect();
        assert!(local.iter().all(|a| matches!(a, Admission::Admitted(_))));
        assert_eq!(prefix_of(ip("2001:db8:1:2::1")), prefix_of(ip("2001:db8:1:3::1")));
        assert_ne!(prefix_of(ip("2001:db8:1::1")), prefix_of(ip("2001:db8:2::1")));
    }
}
