//! R20: what the open internet sends to HTTP servers, at the node's API, its admin listener, the gateway, the verifier and the
//! page. All must live, grow by less than 64 MiB, answer each malformed request with a refusal, and go on serving those who
//! behave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::campaign::{Lane, Row, Run};
use crate::harness::{Client, Network, Setup, request, wait_for};

mod floods;
mod shots;

pub(super) const ROWS: &[Row] =
    &[Row { id: "R20", name: "http-abuse", lane: Lane::Networks, ci: 1, release: 30, attack: http_abuse }];

/// How much a service may grow.
const GROWTH_BYTES_MAX: u64 = 64 << 20;
/// Below this nobody notices, whatever the machine does besides.
const P99_NOTICED: Duration = Duration::from_millis(500);
/// Time for which those who behave are watched before anything is attacked.
const QUIET: Duration = Duration::from_secs(5);

/// A service under attack.
#[derive(Clone)]
struct Target {
    name: &'static str,
    address: SocketAddr,
    process: u32,
    /// What an honest client reads.
    honest: &'static str,
    /// Where bodies go, with what they are called and what is sent along.
    takes: &'static str,
    media_type: &'static str,
    authorization: String,
}

impl Target {
    fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
        kib.unwrap_or_else(|| panic!("{} is dead", self.name)) << 10
    }
}

/// Clients that behave, one a service, and what they met.
struct Honest {
    stop: Arc<AtomicBool>,
    clients: Vec<std::thread::JoinHandle<Met>>,
}

#[derive(Default)]
struct Met {
    times: Vec<Duration>,
    errors: Vec<String>,
}

impl Honest {
    fn start(targets: &[Target]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |target: &Target| {
            let (target, stop) = (target.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut met = Met::default();
                let mut client = Client::new(target.address);
                while !stop.load(Ordering::Relaxed) {
                    // Now and then as somebody who comes for the first time.
                    if met.times.len() % 8 == 7 {
                        client = Client::new(target.address);
                    }
                    let authorization = [("authorization", target.authorization.as_str())];
                    let headers = if target.authorization.is_empty() { &[][..] } else { &authorization };
                    let began = Instant::now();
                    match client.request("GET", target.honest, headers, &[]) {
                        Ok(answer) if answer.status == 200 => met.times.push(began.elapsed()),
                        other => met.errors.push(format!("{}: {other:?}", target.name)),
                    }
                    std::thread::sleep(Duration::from_millis(25));
                }
                met
            })
        };
        Self { clients: targets.iter().map(client).collect(), stop }
    }

    fn stop(self) -> Met {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Met::default();
        for client in self.clients {
            let met = client.join().expect("a client does not panic");
            all.times.extend(met.times);
            all.errors.extend(met.errors);
        }
        all.times.sort_unstable();
        all
    }
}

impl Met {
    fn p99(&self) -> Duration {
        self.times[(self.times.len() - 1) * 99 / 100]
    }
}

fn http_abuse(run: &mut Run) {
    let mut network = Network::start(&Setup::default());
    let (gateway, token) = network.start_gateway();
    let (verifier, page) = (network.start_verifier(None), network.start_page());
    wait_for("the gateway to answer", Duration::from_secs(60), || {
        request(gateway, "GET", "/livez", &[], &[]).ok().filter(|answer| answer.status == 200)
    });
    let node = network.process(0);
    let target = |name, address, process, honest, takes, media_type, authorization: &str| Target {
        name,
        address,
        process,
        honest,
        takes,
        media_type,
        authorization: authorization.into(),
    };
    let json = "application/json";
    let bearer = format!("Bearer {token}");
    let targets = [
        target("node", network.nodes[0].api, node, "/v1/status", "/v1/records", json, ""),
        target("admin", network.nodes[0].admin, node, "/livez", "/backup", json, ""),
        target("gateway", gateway, network.gateway_process(), "/v1/status", "/v1/hashes", json, &bearer),
        target("verifier", verifier.address, verifier.id(), "/v1/status", "/v1/verify", json, ""),
        target("page", page.address, page.id(), "/network.json", "/", json, ""),
    ];

    let quiet = Honest::start(&targets);
    std::thread::sleep(QUIET);
    let quiet = quiet.stop();
    quiet.errors.iter().for_each(|error| run.bad(&format!("before any attack: {error}")));
    let before: Vec<_> = targets.iter().map(Target::resident_bytes).collect();
    let mut grown = vec![0; targets.len()];

    let honest = Honest::start(&targets);
    for _ in 0..run.count {
        for (place, target) in targets.iter().enumerate() {
            shots::all(run, target);
            grown[place] = grown[place].max(target.resident_bytes());
        }
        for flood in floods::FLOODS {
            std::thread::scope(|scope| {
                let under = targets.iter().filter(|target| (flood.at)(target.name));
                let attacks: Vec<_> =
                    under.map(|target| (target.name, scope.spawn(move || (flood.attack)(target)))).collect();
                for (name, attack) in attacks {
                    match attack.join() {
                        Ok(Ok(())) => run.good(1),
                        Ok(Err(how)) => run.bad(&format!("{} at the {name}: {how}", flood.name)),
                        Err(_) => run.bad(&format!("{} at the {name}: the attacker panicked", flood.name)),
                    }
                }
            });
            for (place, target) in targets.iter().enumerate() {
                grown[place] = grown[place].max(target.resident_bytes());
            }
        }
    }
    let met = honest.stop();
    met.errors.iter().take(20).for_each(|error| run.bad(&format!("an honest client: {error}")));
    let most = grown.iter().zip(&before).map(|(after, before)| after.saturating_sub(*before)).max().unwrap_or(0);
    for (target, (after, before)) in targets.iter().zip(grown.iter().zip(&before)) {
        if after.saturating_sub(*before) > GROWTH_BYTES_MAX {
            run.bad(&format!("the {} grew from {before} to {after} bytes", target.name));
        }
    }
    let (quiet_p99, p99) = (quiet.p99(), met.p99());
    if p99 > quiet_p99 * 2 && p99 > P99_NOTICED {
        run.bad(&format!("those who behave waited {p99:?} in place of {quiet_p99:?} (p99)"));
    }
    run.metric("honest-requests", met.times.len());
    run.metric("honest-errors", met.errors.len());
    run.metric("honest-p99-ms", p99.as_millis());
    run.metric("quiet-p99-ms", quiet_p99.as_millis());
    run.metric("grown-mib", most >> 20);
    network.check();
}
