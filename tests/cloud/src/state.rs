//! All that the stand-in knows, and what is still on its way.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::Fault;

/// How it behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    pub secret_id: String,
    pub secret_key: String,
    /// The key is a temporary one with this token.
    pub token: Option<String>,
    pub region: String,
    /// How long everything takes that the real one does not do at once.
    pub latency: Duration,
    /// The first call is one too many in this second.
    pub throttle: bool,
    /// What is sold out: `ZONE/TYPE`, either of them `*`.
    pub sold_out: Vec<String>,
    /// The ids of what is made come with its task, not with the answer.
    pub empty_ids: bool,
    /// Public addresses, in the order they are given out.
    pub addresses: Vec<String>,
    /// The next hosts end up as LAUNCH_FAILED.
    pub launch_failures: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            secret_id: "AKIDstandin".to_owned(),
            secret_key: "stand-in-secret-key".to_owned(),
            token: None,
            region: "ap-guangzhou".to_owned(),
            latency: Duration::from_millis(30),
            throttle: false,
            sold_out: Vec::new(),
            empty_ids: true,
            addresses: Vec::new(),
            launch_failures: 0,
        }
    }
}

type Effect = Box<dyn FnOnce(&mut State) + Send>;

/// Something that takes its time.
struct Task {
    due: Instant,
    /// The balancer that nothing else may change meanwhile.
    balancer: Option<String>,
    effect: Option<Effect>,
    made: Vec<String>,
}

/// Resources by their ids, as the Describe actions show them.
pub struct State {
    pub settings: Settings,
    pub vpcs: BTreeMap<String, Value>,
    pub subnets: BTreeMap<String, Value>,
    pub groups: BTreeMap<String, Value>,
    pub policies: BTreeMap<String, Value>,
    pub keys: BTreeMap<String, Value>,
    pub instances: BTreeMap<String, Value>,
    pub balancers: BTreeMap<String, Value>,
    /// By balancer.
    pub listeners: BTreeMap<String, Vec<Value>>,
    /// By rule.
    pub targets: BTreeMap<String, Vec<Value>>,
    /// All calls with their parameters.
    pub calls: Vec<(String, Value)>,
    pub(crate) faults: Vec<Fault>,
    /// What was answered to a ClientToken.
    pub(crate) tokens: BTreeMap<String, Value>,
    /// Made, but not in any list yet.
    pub(crate) unlisted: Vec<String>,
    tasks: BTreeMap<String, Task>,
    last: u64,
}

impl State {
    pub(crate) fn new(settings: Settings) -> State {
        State {
            settings,
            vpcs: BTreeMap::new(),
            subnets: BTreeMap::new(),
            groups: BTreeMap::new(),
            policies: BTreeMap::new(),
            keys: BTreeMap::new(),
            instances: BTreeMap::new(),
            balancers: BTreeMap::new(),
            listeners: BTreeMap::new(),
            targets: BTreeMap::new(),
            calls: Vec::new(),
            faults: Vec::new(),
            tokens: BTreeMap::new(),
            unlisted: Vec::new(),
            tasks: BTreeMap::new(),
            last: 0,
        }
    }

    /// How many resources there are of each kind.
    pub fn counts(&self) -> Value {
        json!({
            "vpcs": self.vpcs.len(), "subnets": self.subnets.len(), "groups": self.groups.len(),
            "keys": self.keys.len(), "instances": self.instances.len(), "balancers": self.balancers.len(),
            "listeners": self.listeners.values().map(Vec::len).sum::<usize>(), "rules": self.targets.len(),
            "targets": self.targets.values().map(Vec::len).sum::<usize>(),
        })
    }

    /// Weights by the instances' names.
    pub fn weights(&self) -> BTreeMap<String, i64> {
        let name = |target: &Value| {
            let instance = target["InstanceId"].as_str().and_then(|id| self.instances.get(id));
            instance.and_then(|found| found["InstanceName"].as_str()).unwrap_or("?").to_owned()
        };
        let targets = self.targets.values().flatten();
        targets.map(|target| (name(target), target["Weight"].as_i64().unwrap_or(-1))).collect()
    }

    pub(crate) fn new_id(&mut self, prefix: &str) -> String {
        self.last += 1;
        format!("{prefix}-{:08x}", self.last.wrapping_mul(0x9e37_79b1) as u32)
    }

    /// Does `effect` after a while, under this task's name.
    pub(crate) fn later(
        &mut self,
        task: &str,
        balancer: Option<&str>,
        made: Vec<String>,
        effect: impl FnOnce(&mut State) + Send + 'static,
    ) {
        let due = Instant::now() + self.settings.latency;
        let balancer = balancer.map(str::to_owned);
        self.tasks.insert(task.to_owned(), Task { due, balancer, effect: Some(Box::new(effect)), made });
    }

    /// Does what is due.
    pub(crate) fn settle(&mut self) {
        let now = Instant::now();
        let mut due: Vec<(Instant, Effect)> = Vec::new();
        for task in self.tasks.values_mut().filter(|task| task.due <= now) {
            due.extend(task.effect.take().map(|effect| (task.due, effect)));
        }
        due.sort_by_key(|(due, _)| *due);
        for (_, effect) in due {
            effect(self);
        }
    }

    /// Whether something is still being done to that balancer.
    pub(crate) fn works_on(&self, balancer: &str) -> bool {
        self.tasks.values().any(|task| task.effect.is_some() && task.balancer.as_deref() == Some(balancer))
    }

    /// Whether a task is done, and what it made.
    pub(crate) fn task(&self, id: &str) -> Option<(bool, &[String])> {
        self.tasks.get(id).map(|task| (task.effect.is_none(), task.made.as_slice()))
    }
}
