//! The arguments of docker_container.

use rplay_wire::{Map, Value};

use super::{
    engine::EngineArgs,
    mounts::{Bind, Exposed, MountArgs, Published},
    nested::Nested,
    units::{Device, Options, Size, Span, Texts, Ulimit},
};
use crate::{
    args,
    argtypes::{Flag, PathArg, Text},
    choice,
};

choice! {
    pub enum State {
        Absent = "absent",
        Present = "present",
        Stopped = "stopped",
        Started = "started",
        Healthy = "healthy",
    }
}

choice! {
    pub enum RestartPolicy {
        No = "no",
        OnFailure = "on-failure",
        Always = "always",
        UnlessStopped = "unless-stopped",
    }
}

choice! {
    pub enum PullPolicy {
        Missing = "missing" | "no" | "false",
        Always = "always" | "yes" | "true",
        Never = "never",
    }
}

choice! {
    pub enum NameMismatch {
        Ignore = "ignore",
        Recreate = "recreate",
    }
}

args! {
    /// A network to connect a container to.
    pub struct NetworkArgs {
        /// Its name.
        name: Text,
        /// A fixed address in it.
        ipv4_address: Option<Text>,
        /// A fixed IPv6 address in it.
        ipv6_address: Option<Text>,
        /// Further names of the container in it.
        aliases: Option<Vec<Text>>,
        /// Other containers, as `name` or `name:alias`.
        links: Option<Vec<Text>>,
        /// The MAC address in it.
        mac_address: Option<Text>,
        /// Options of the network's driver.
        driver_opts: Option<Options>,
    }
}

args! {
    /// A rate for a device.
    pub struct RateArgs {
        /// The device.
        path: Text,
        /// Bytes (`1m`) or operations in a second.
        rate: Size,
    }
}

args! {
    /// Devices by what they can do.
    pub struct DeviceRequestArgs {
        /// Lists of abilities, any of which will do: `[[gpu]]`.
        capabilities: Option<Vec<Value>>,
        /// How many; -1 for all.
        count: Option<i64>,
        /// Which ones.
        device_ids: Option<Vec<Text>>,
        /// The driver, `nvidia`.
        driver: Option<Text>,
        /// Options of the driver.
        options: Option<Options>,
    }
}

args! {
    /// How to find out whether what runs in a container is well.
    pub struct HealthArgs {
        /// A command for the shell, a list beginning with CMD or CMD-SHELL, or NONE.
        test: Option<Value>,
        /// From one test to the next.
        interval: Option<Span>,
        /// How long a test may take.
        timeout: Option<Span>,
        /// How many failures in a row make it unhealthy.
        retries: Option<u64>,
        /// How long failures do not count at first.
        start_period: Option<Span>,
        /// From one test to the next in that time.
        start_interval: Option<Span>,
    }
}

args! {
    /// Makes, changes, starts, stops or removes a container.
    ///
    /// Only what the task names is compared, and more than is named (a further variable, label or capability) is no
    /// difference unless `comparisons` says `strict`. A container that differs is replaced, and only when its
    /// successor has been made; what the task does not name the successor takes over. If it does not start, or with
    /// `state: healthy` does not get well, the old one comes back.
    pub struct DockerContainer {
        ..engine: EngineArgs,
        /// The container's name.
        name: Text,
        /// The image's name or id. Needed for a container that is to be made.
        image: Option<Text>,
        /// `started` runs it, `healthy` also waits for its health check, `present` makes it and no more.
        state: State = State::Started,
        /// When to pull: if the image is not there (`missing`), if the registry has another (`always`), `never`.
        pull: PullPolicy = PullPolicy::Missing,
        /// The platform to pull and make it for.
        platform: Option<Text>,
        /// What to run; text is split as a shell would.
        command: Option<Value>,
        /// What to run it with.
        entrypoint: Option<Vec<Text>>,
        /// Environment variables. Their values never show in messages.
        env: Option<Texts>,
        /// A file on the host with lines NAME=value; `env` wins.
        env_file: Option<PathArg>,
        /// Labels.
        labels: Option<Texts>,
        /// Folders and volumes, as `/host:/inside:ro` or `name:/inside`.
        volumes: Option<Vec<Bind>>,
        /// The same in long.
        mounts: Option<Vec<Nested<MountArgs>>>,
        /// Take the volumes of these containers.
        volumes_from: Option<Vec<Text>>,
        /// What keeps the data of volumes that are made.
        volume_driver: Option<Text>,
        /// Folders in memory, as `/run:size=10m`.
        tmpfs: Option<Vec<Text>>,
        /// Ports to make reachable: `80`, `8080:80`, `127.0.0.1:8080:80/udp`; `all` for the exposed ones.
        published_ports: Option<Vec<Published>> | "ports",
        /// Make all exposed ports reachable, at ports of the Engine's choosing.
        publish_all_ports: Option<Flag>,
        /// Ports that are only named.
        exposed_ports: Option<Vec<Exposed>> | "exposed" | "expose",
        /// The address to publish ports at that name none.
        default_host_ip: Option<Text>,
        /// Networks to connect it to.
        networks: Option<Vec<Nested<NetworkArgs>>>,
        /// `bridge`, `host`, `none`, `container:NAME` or a network; the first of `networks` if not given.
        network_mode: Option<Text>,
        /// With `networks`, do not connect it to Docker's default network.
        networks_cli_compatible: Flag = Flag(true),
        /// Disconnect it from networks that are not in `networks`.
        purge_networks: Flag = Flag(false),
        /// Its host name.
        hostname: Option<Text>,
        /// Its domain.
        domainname: Option<Text>,
        /// Its MAC address.
        mac_address: Option<Text>,
        /// Lines for its /etc/hosts: name and address.
        etc_hosts: Option<Options>,
        /// Name servers.
        dns_servers: Option<Vec<Text>>,
        /// Domains to look names up in.
        dns_search_domains: Option<Vec<Text>>,
        /// Options of the resolver.
        dns_opts: Option<Vec<Text>>,
        /// Other containers, as `name:alias`; outdated, use `networks`.
        links: Option<Vec<Text>>,
        /// When to start it again.
        restart_policy: Option<RestartPolicy>,
        /// How often, for `on-failure`.
        restart_retries: Option<u64>,
        /// The user in it, as `name`, `uid` or `uid:gid`.
        user: Option<Text>,
        /// Further groups.
        groups: Option<Vec<Text>>,
        /// Where the command runs.
        working_dir: Option<Text>,
        /// A terminal.
        tty: Option<Flag>,
        /// Keep its standard input open.
        interactive: Option<Flag>,
        /// A small init that reaps processes.
        init: Option<Flag>,
        /// Whether it is well.
        healthcheck: Option<Nested<HealthArgs>>,
        /// How long to wait for `state: healthy`, in seconds; 0 for ever.
        healthy_wait_timeout: f64 = 300.0,
        /// The most memory.
        memory: Option<Size>,
        /// Memory to keep free for it.
        memory_reservation: Option<Size>,
        /// Memory and swap together; -1 or `unlimited`.
        memory_swap: Option<Size>,
        /// How readily it is swapped, 0 to 100.
        memory_swappiness: Option<u64>,
        /// The size of /dev/shm.
        shm_size: Option<Size>,
        /// How many CPUs at most.
        cpus: Option<f64>,
        /// Its weight when CPUs are short.
        cpu_shares: Option<u64>,
        /// Microseconds; with `cpu_quota` the long way to say `cpus`.
        cpu_period: Option<u64>,
        /// Microseconds within a period.
        cpu_quota: Option<i64>,
        /// Which CPUs: `0-2`, `0,1`.
        cpuset_cpus: Option<Text>,
        /// Which memory nodes.
        cpuset_mems: Option<Text>,
        /// Its weight for input and output, 10 to 1000.
        blkio_weight: Option<u64>,
        /// How many processes; -1 for any number.
        pids_limit: Option<i64>,
        /// Whether the kernel may kill it when memory runs out.
        oom_killer: Option<Flag>,
        /// How readily, -1000 to 1000.
        oom_score_adj: Option<i64>,
        /// Limits, as `nofile:1024:2048`.
        ulimits: Option<Vec<Ulimit>>,
        /// Kernel parameters.
        sysctls: Option<Options>,
        /// Capabilities to add.
        capabilities: Option<Vec<Text>>,
        /// Capabilities to take away.
        cap_drop: Option<Vec<Text>>,
        /// All rights on the host.
        privileged: Option<Flag>,
        /// Its root file system cannot be written to.
        read_only: Option<Flag>,
        /// Options such as `no-new-privileges`.
        security_opts: Option<Vec<Text>>,
        /// Devices, as `/dev/host:/dev/inside:rwm`.
        devices: Option<Vec<Device>>,
        /// Rules such as `c 42:* rmw`.
        device_cgroup_rules: Option<Vec<Text>>,
        /// Devices by what they can do, GPUs above all.
        device_requests: Option<Vec<Nested<DeviceRequestArgs>>>,
        /// How much may be read from devices in a second.
        device_read_bps: Option<Vec<Nested<RateArgs>>>,
        /// How much may be written to devices in a second.
        device_write_bps: Option<Vec<Nested<RateArgs>>>,
        /// How often devices may be read from in a second.
        device_read_iops: Option<Vec<Nested<RateArgs>>>,
        /// How often devices may be written to in a second.
        device_write_iops: Option<Vec<Nested<RateArgs>>>,
        /// `host`, `shareable`, `container:NAME` ...
        ipc_mode: Option<Text>,
        /// `host` or `container:NAME`.
        pid_mode: Option<Text>,
        /// `host`.
        uts: Option<Text>,
        /// `host`.
        userns_mode: Option<Text>,
        /// `host` or `private`.
        cgroupns_mode: Option<Text>,
        /// The control group above it.
        cgroup_parent: Option<Text>,
        /// What runs it, `runc` as a rule.
        runtime: Option<Text>,
        /// Options of the storage driver.
        storage_opts: Option<Options>,
        /// Where its output goes.
        log_driver: Option<Text>,
        /// Options of that.
        log_options: Option<Options> | "log_opt",
        /// The signal that asks it to end.
        stop_signal: Option<Text>,
        /// Seconds from there to the one that makes it.
        stop_timeout: Option<u64>,
        /// Whether its processes are to be frozen.
        paused: Option<Flag>,
        /// Replace it even if nothing differs.
        recreate: Flag = Flag(false),
        /// Restart it if it runs already.
        restart: Flag = Flag(false),
        /// Kill it instead of stopping it.
        force_kill: Flag | "forcekill" = Flag(false),
        /// With which signal.
        kill_signal: Option<Text>,
        /// Keep volumes without a name when it is removed; one that replaces it gets them.
        keep_volumes: Flag = Flag(true),
        /// Have the Engine remove it when it ends.
        auto_remove: Option<Flag>,
        /// `no` waits for its end, and gives its output and status.
        detach: Flag = Flag(true),
        /// With `detach: no`, give its output.
        output_logs: Flag = Flag(true),
        /// With `detach: no`, remove it afterwards.
        cleanup: Flag = Flag(false),
        /// How to compare, by argument (`*` for all): `strict`, `ignore`, or `allow_more_present`, which is the rule
        /// for lists without order and for mappings.
        comparisons: Option<Map>,
        /// Whether another name of the same image is a difference.
        image_name_mismatch: NameMismatch = NameMismatch::Recreate,
        /// Seconds that the Engine may take to remove a container.
        removal_wait_timeout: f64 = 30.0,
    }
}
