//! Converts the arguments of docker_container to a create request.

mod nested_args;

use rplay_wire::Value;
use serde_json::{Map as JsonMap, Value as Json, json};

use super::{
    container_args::{DockerContainer, NameMismatch, RestartPolicy},
    mounts::{Exposed, Published},
    spec::{Attachment, Spec},
    units::Size,
};
use crate::{ArgError, argtypes::Flag};
use nested_args::rates;

impl DockerContainer {
    /// The desired container. `env_file` holds the variables of that file, `expand` completes paths on the host.
    pub(crate) fn spec(
        &self,
        image_name: &str,
        env_file: &[(String, String)],
        expand: &dyn Fn(&str) -> String,
    ) -> Result<Spec, ArgError> {
        let compare_image_name = self.image_name_mismatch == NameMismatch::Recreate;
        let mut spec = Spec::new(image_name, compare_image_name);
        self.set_process(&mut spec, env_file)?;
        self.set_storage(&mut spec, expand)?;
        self.set_network(&mut spec);
        self.set_limits(&mut spec);
        self.set_rights(&mut spec);
        spec.named = self.named();
        Ok(spec)
    }

    /// The arguments that are given, even if they are empty.
    fn named(&self) -> Vec<&'static str> {
        let given = [
            ("env", self.env.is_some() || self.env_file.is_some()),
            ("labels", self.labels.is_some()),
            ("volumes", self.volumes.is_some()),
            ("mounts", self.mounts.is_some()),
            ("tmpfs", self.tmpfs.is_some()),
            ("published_ports", self.published_ports.is_some()),
            ("exposed_ports", self.exposed_ports.is_some()),
            ("network_mode", self.network_mode.is_some()),
            ("sysctls", self.sysctls.is_some()),
            ("storage_opts", self.storage_opts.is_some()),
        ];
        given.into_iter().filter_map(|(arg, given)| given.then_some(arg)).collect()
    }

    /// The process: command, user, environment.
    fn set_process(&self, spec: &mut Spec, env_file: &[(String, String)]) -> Result<(), ArgError> {
        let mut set = |key: &str, value: Option<Json>| value.into_iter().for_each(|value| spec.set(key, value));
        set("Hostname", text(&self.hostname));
        set("Domainname", text(&self.domainname));
        set("User", text(&self.user));
        set("WorkingDir", text(&self.working_dir));
        set("Tty", flag(self.tty));
        set("OpenStdin", flag(self.interactive));
        set("StopSignal", text(&self.stop_signal));
        set("StopTimeout", self.stop_timeout.map(|seconds| json!(seconds)));
        set("Entrypoint", list(&self.entrypoint));
        if let Some(command) = &self.command {
            set("Cmd", Some(json!(words(command).map_err(|why| ArgError::new("command", why))?)));
        }
        let mut env: std::collections::BTreeMap<&str, &str> =
            env_file.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        env.extend(self.env.iter().flat_map(|env| &env.0).map(|(name, value)| (name.as_str(), value.as_str())));
        if let Some(wrong) = env.keys().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
            return Err(ArgError::new("env", format!("`{wrong}` is not a valid variable name")));
        }
        if !env.is_empty() {
            set("Env", Some(env.iter().map(|(name, value)| format!("{name}={value}")).collect()));
        }
        if let Some(labels) = &self.labels {
            set("Labels", Some(labels.0.iter().map(|(name, value)| (name.clone(), json!(value))).collect()));
        }
        if let Some(health) = &self.healthcheck {
            set("Healthcheck", Some(health.json().map_err(|why| ArgError::new("healthcheck", why))?));
        }
        if self.log_driver.is_some() || self.log_options.is_some() {
            let mut log = json!({});
            if let Some(driver) = &self.log_driver {
                log["Type"] = json!(driver);
            }
            if let Some(options) = &self.log_options {
                log["Config"] = options.json();
            }
            set("LogConfig", Some(log));
        }
        set("Init", flag(self.init));
        set("AutoRemove", flag(self.auto_remove));
        if let Some(policy) = self.restart_policy {
            let mut wanted = json!({"Name": policy.word()});
            if let Some(retries) = self.restart_retries.filter(|_| policy == RestartPolicy::OnFailure) {
                wanted["MaximumRetryCount"] = json!(retries);
            }
            set("RestartPolicy", Some(wanted));
        }
        Ok(())
    }

    fn set_storage(&self, spec: &mut Spec, expand: &dyn Fn(&str) -> String) -> Result<(), ArgError> {
        let mut set = |key: &str, value: Option<Json>| value.into_iter().for_each(|value| spec.set(key, value));
        if let Some(volumes) = &self.volumes {
            let binds: Vec<_> = volumes.iter().filter_map(|volume| volume.notation(expand)).collect();
            let nameless: JsonMap<_, _> =
                volumes.iter().filter(|v| v.source.is_none()).map(|v| (v.target.clone(), json!({}))).collect();
            set("Binds", (!binds.is_empty()).then(|| json!(binds)));
            set("Volumes", (!nameless.is_empty()).then(|| json!(nameless)));
        }
        if let Some(mounts) = &self.mounts {
            let mounts: Result<Vec<_>, _> = mounts.iter().map(|mount| mount.json(expand)).collect();
            set("Mounts", Some(json!(mounts.map_err(|why| ArgError::new("mounts", why))?)));
        }
        set("VolumesFrom", list(&self.volumes_from));
        set("VolumeDriver", text(&self.volume_driver));
        if let Some(directories) = &self.tmpfs {
            let directories = directories.iter().map(|directory| directory.split_once(':').unwrap_or((directory, "")));
            set("Tmpfs", Some(directories.map(|(path, options)| (path.to_owned(), json!(options))).collect()));
        }
        set("ShmSize", size(self.shm_size));
        set("StorageOpt", self.storage_opts.as_ref().map(|options| options.json()));
        set("ReadonlyRootfs", flag(self.read_only));
        Ok(())
    }

    fn set_network(&self, spec: &mut Spec) {
        let mut set = |key: &str, value: Option<Json>| value.into_iter().for_each(|value| spec.set(key, value));
        let published = self.published_ports.as_deref().unwrap_or_default();
        let address = self.default_host_ip.as_deref().unwrap_or_default();
        let mut bindings: JsonMap<String, Json> = JsonMap::new();
        for (port, binding) in published.iter().flat_map(|port| port.bindings(address)) {
            if let Some(list) = bindings.entry(port).or_insert_with(|| json!([])).as_array_mut() {
                list.push(binding);
            }
        }
        let exposed = self.exposed_ports.iter().flatten().flat_map(|Exposed(ports)| ports.iter());
        let exposed: JsonMap<_, _> = exposed.chain(bindings.keys()).map(|port| (port.clone(), json!({}))).collect();
        let exposed = (!exposed.is_empty()).then(|| json!(exposed));
        // Published ports are exposed implicitly.
        let (exposed, follows) = if self.exposed_ports.is_some() { (exposed, None) } else { (None, exposed) };
        set("ExposedPorts", exposed);
        set("PortBindings", (!bindings.is_empty()).then(|| json!(bindings)));
        let all = published.contains(&Published::All).then_some(json!(true));
        set("PublishAllPorts", flag(self.publish_all_ports).or(all));
        set("MacAddress", text(&self.mac_address));
        let hosts =
            self.etc_hosts.as_ref().map(|hosts| hosts.0.iter().map(|(name, address)| format!("{name}:{address}")));
        set("ExtraHosts", hosts.map(|hosts| hosts.collect()));
        set("Dns", list(&self.dns_servers));
        set("DnsSearch", list(&self.dns_search_domains));
        set("DnsOptions", list(&self.dns_opts));
        set("Links", list(&self.links));
        let networks = self.networks.iter().flatten();
        let networks: Vec<_> =
            networks.map(|network| Attachment { network: network.name.clone(), endpoint: network.json() }).collect();
        let first = networks.first().filter(|_| self.networks_cli_compatible.0).map(|first| json!(first.network));
        set("NetworkMode", text(&self.network_mode));
        spec.networks = networks;
        for (key, value) in [("ExposedPorts", follows), ("NetworkMode", first)] {
            if let Some(value) = value {
                spec.derive(key, value);
            }
        }
    }

    fn set_limits(&self, spec: &mut Spec) {
        let mut set = |key: &str, value: Option<Json>| value.into_iter().for_each(|value| spec.set(key, value));
        set("Memory", size(self.memory));
        set("MemoryReservation", size(self.memory_reservation));
        set("MemorySwap", size(self.memory_swap));
        set("MemorySwappiness", self.memory_swappiness.map(|value| json!(value)));
        // Rounded to thousandths: 0.1 is not exact in binary.
        set("NanoCpus", self.cpus.map(|cpus| json!((cpus * 1e3).round() as i64 * 1_000_000)));
        set("CpuShares", self.cpu_shares.map(|value| json!(value)));
        set("CpuPeriod", self.cpu_period.map(|value| json!(value)));
        set("CpuQuota", self.cpu_quota.map(|value| json!(value)));
        set("CpusetCpus", text(&self.cpuset_cpus));
        set("CpusetMems", text(&self.cpuset_mems));
        set("BlkioWeight", self.blkio_weight.map(|value| json!(value)));
        set("PidsLimit", self.pids_limit.map(|value| json!(value)));
        set("OomKillDisable", self.oom_killer.map(|Flag(may)| json!(!may)));
        set("OomScoreAdj", self.oom_score_adj.map(|value| json!(value)));
        set("Ulimits", self.ulimits.as_ref().map(|limits| limits.iter().map(|limit| limit.0.clone()).collect()));
        set("Sysctls", self.sysctls.as_ref().map(|options| options.json()));
    }

    fn set_rights(&self, spec: &mut Spec) {
        let mut set = |key: &str, value: Option<Json>| value.into_iter().for_each(|value| spec.set(key, value));
        set("CapAdd", list(&self.capabilities));
        set("CapDrop", list(&self.cap_drop));
        set("Privileged", flag(self.privileged));
        set("SecurityOpt", list(&self.security_opts));
        set("Devices", self.devices.as_ref().map(|devices| devices.iter().map(|device| device.0.clone()).collect()));
        set("DeviceCgroupRules", list(&self.device_cgroup_rules));
        set("BlkioDeviceReadBps", rates(&self.device_read_bps));
        set("BlkioDeviceWriteBps", rates(&self.device_write_bps));
        set("BlkioDeviceReadIOps", rates(&self.device_read_iops));
        set("BlkioDeviceWriteIOps", rates(&self.device_write_iops));
        let requests = self.device_requests.as_ref();
        set("DeviceRequests", requests.map(|all| all.iter().map(|request| request.json()).collect()));
        set("GroupAdd", list(&self.groups));
        set("IpcMode", text(&self.ipc_mode));
        set("PidMode", text(&self.pid_mode));
        set("UTSMode", text(&self.uts));
        set("UsernsMode", text(&self.userns_mode));
        set("CgroupnsMode", text(&self.cgroupns_mode));
        set("CgroupParent", text(&self.cgroup_parent));
        set("Runtime", text(&self.runtime));
    }
}

fn text(value: &Option<String>) -> Option<Json> {
    value.as_ref().map(|text| json!(text))
}

fn list(value: &Option<Vec<String>>) -> Option<Json> {
    value.as_ref().map(|items| json!(items))
}

fn flag(value: Option<Flag>) -> Option<Json> {
    value.map(|Flag(on)| json!(on))
}

fn size(value: Option<Size>) -> Option<Json> {
    value.map(|Size(bytes)| json!(bytes))
}

/// A command as words: a string is split like in a shell, a list is kept.
fn words(command: &Value) -> Result<Vec<String>, String> {
    use crate::args::ArgType;
    match command {
        Value::List(words) => words.iter().map(String::parse).collect(),
        // The string may contain a password, so it is not repeated.
        command => shell_words::split(&String::parse(command)?).map_err(|_| "has an unclosed quote".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use super::*;
    use crate::{Args, Module};

    fn body(map: rplay_wire::Map) -> Json {
        let args = DockerContainer::from_map(&map).unwrap();
        args.spec("todo:v2", &[("FROM_FILE".into(), "1".into()), ("A".into(), "file".into())], &|path| path.to_owned())
            .unwrap()
            .body("sha256:1")
    }

    #[test]
    fn a_whole_container_becomes_the_engines_request() {
        let mut body = body(data! {
            "name" => "todo-3", "image" => "todo:v2",
            "command" => "serve --name 'a b'",
            "env" => data! { "A" => "args" },
            "ports" => vec!["127.0.0.1:3003:3000"],
            "expose" => vec![Value::from(9000)],
            "volumes" => vec!["/srv/config.ini:/app/config/config.ini:ro", "/cache"],
            "networks" => vec![Value::from(data! { "name" => "todo", "ipv4_address" => "10.5.0.3", "aliases" => vec!["t3"] })],
            "restart_policy" => "unless-stopped", "memory" => "64m", "cpus" => 0.1,
            "healthcheck" => data! { "test" => "true", "interval" => "2s", "retries" => 3 },
            "etc_hosts" => data! { "db" => "10.5.0.1" }, "log_driver" => "json-file",
            "log_options" => data! { "max-size" => "10m", "compress" => true },
            "tmpfs" => vec!["/run:size=1m"], "oom_killer" => true,
        });
        body["Labels"] = Json::Null;
        assert_eq!(
            body,
            json!({
                "Image": "todo:v2",
                "HostConfig": {
                    "LogConfig": {"Config": {"max-size": "10m", "compress": "true"}, "Type": "json-file"},
                    "RestartPolicy": {"Name": "unless-stopped"},
                    "Binds": ["/srv/config.ini:/app/config/config.ini:ro"],
                    "Tmpfs": {"/run": "size=1m"},
                    "PortBindings": {"3000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "3003"}]},
                    "ExtraHosts": ["db:10.5.0.1"],
                    "NetworkMode": "todo",
                    "Memory": 67108864, "NanoCpus": 100_000_000, "OomKillDisable": false,
                },
                "Cmd": ["serve", "--name", "a b"],
                "Env": ["A=args", "FROM_FILE=1"],
                "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 2_000_000_000i64, "Retries": 3},
                "Volumes": {"/cache": {}},
                "ExposedPorts": {"9000/tcp": {}, "3000/tcp": {}},
                "Labels": null,
                "NetworkingConfig": {"EndpointsConfig": {
                    "todo": {"IPAMConfig": {"IPv4Address": "10.5.0.3"}, "Aliases": ["t3"]},
                }},
            })
        );
    }

    #[test]
    fn what_is_wrong_is_found_before_an_engine_is_asked() {
        let error = |map| match DockerContainer::from_map(&map) {
            Ok(args) => args.check().err().map(|error| error.msg),
            Err(errors) => errors.first().map(|error| error.msg.clone()),
        };
        let base = || data! { "name" => "x", "image" => "y" };
        let with = |key: &str, value: Value| {
            let mut map = base();
            map.insert(key.into(), value);
            error(map).unwrap_or_default()
        };
        assert_eq!(error(base()), None);
        assert!(with("command", "a 'b".into()).contains("unclosed"));
        assert!(with("comparisons", data! { "nothing" => "strict" }.into()).contains("not an argument"));
        assert!(with("healthcheck", data! { "test" => vec!["x"] }.into()).contains("CMD-SHELL"));
        assert!(with("networks", vec!["todo"].into()).contains("must be a dict"));
        assert!(with("networks", vec![Value::from(data! { "nam" => "todo" })].into()).contains("unknown key `nam`"));
        assert!(with("image", "".into()).contains("image"));
    }
}
