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
        /// The name of the network.
        name: Text,
        /// A fixed IPv4 address.
        ipv4_address: Option<Text>,
        /// A fixed IPv6 address.
        ipv6_address: Option<Text>,
        /// Additional names of the container in the network.
        aliases: Option<Vec<Text>>,
        /// Links to other containers, as `name` or `name:alias`.
        links: Option<Vec<Text>>,
        /// The MAC address.
        mac_address: Option<Text>,
        /// Options of the network driver.
        driver_opts: Option<Options>,
    }
}

args! {
    /// A rate limit for a device.
    pub struct RateArgs {
        /// The device.
        path: Text,
        /// Bytes (`1m`) or operations per second.
        rate: Size,
    }
}

args! {
    /// A request for devices by capability.
    pub struct DeviceRequestArgs {
        /// Alternative lists of capabilities: `[[gpu]]`.
        capabilities: Option<Vec<Value>>,
        /// The number of devices; -1 for all.
        count: Option<i64>,
        /// The IDs of the devices.
        device_ids: Option<Vec<Text>>,
        /// The driver, `nvidia`.
        driver: Option<Text>,
        /// Options of the driver.
        options: Option<Options>,
    }
}

args! {
    /// A health check.
    pub struct HealthArgs {
        /// A shell command, a list that begins with CMD or CMD-SHELL, or NONE.
        test: Option<Value>,
        /// The interval between checks.
        interval: Option<Span>,
        /// Timeout of a check.
        timeout: Option<Span>,
        /// Consecutive failures that make it unhealthy.
        retries: Option<u64>,
        /// Initial period in which failures do not count.
        start_period: Option<Span>,
        /// The interval between checks in that period.
        start_interval: Option<Span>,
    }
}

args! {
    /// Creates, changes, starts, stops or removes a container.
    ///
    /// Only what the task names is compared, and additional values (another variable, label or capability) are no
    /// difference unless `comparisons` is `strict`. A container that differs is replaced once its successor has been
    /// created; the successor takes over everything that the task does not name. If the successor does not start, or
    /// with `state: healthy` does not become healthy, the old container is restored.
    pub struct DockerContainer {
        ..engine: EngineArgs,
        /// The name of the container.
        name: Text,
        /// The name or ID of the image. Required to create a container.
        image: Option<Text>,
        /// `started` runs it, `healthy` also waits for its health check, `present` only creates it.
        state: State = State::Started,
        /// When to pull: if the image is missing (`missing`), if the registry has a newer one (`always`), or `never`.
        pull: PullPolicy = PullPolicy::Missing,
        /// The platform of the image.
        platform: Option<Text>,
        /// The command; a string is split like in a shell.
        command: Option<Value>,
        /// The entrypoint.
        entrypoint: Option<Vec<Text>>,
        /// Environment variables. Their values are not shown in messages.
        env: Option<Texts>,
        /// A file on the host with lines NAME=value; `env` takes precedence.
        env_file: Option<PathArg>,
        /// Labels.
        labels: Option<Texts>,
        /// Bind mounts and volumes, as `/host:/inside:ro` or `name:/inside`.
        volumes: Option<Vec<Bind>>,
        /// Mounts in long syntax.
        mounts: Option<Vec<Nested<MountArgs>>>,
        /// Use the volumes of these containers.
        volumes_from: Option<Vec<Text>>,
        /// The driver of new volumes.
        volume_driver: Option<Text>,
        /// Temporary file systems, as `/run:size=10m`.
        tmpfs: Option<Vec<Text>>,
        /// Ports to publish: `80`, `8080:80`, `127.0.0.1:8080:80/udp`; `all` for the exposed ones.
        published_ports: Option<Vec<Published>> | "ports",
        /// Publish all exposed ports at ports chosen by the Engine.
        publish_all_ports: Option<Flag>,
        /// Ports to expose without publishing.
        exposed_ports: Option<Vec<Exposed>> | "exposed" | "expose",
        /// The default address for published ports.
        default_host_ip: Option<Text>,
        /// Networks to connect to.
        networks: Option<Vec<Nested<NetworkArgs>>>,
        /// `bridge`, `host`, `none`, `container:NAME` or a network; by default the first of `networks`.
        network_mode: Option<Text>,
        /// With `networks`, do not connect to Docker's default network.
        networks_cli_compatible: Flag = Flag(true),
        /// Disconnect from networks that are not in `networks`.
        purge_networks: Flag = Flag(false),
        /// The host name.
        hostname: Option<Text>,
        /// The domain name.
        domainname: Option<Text>,
        /// The MAC address.
        mac_address: Option<Text>,
        /// Entries for /etc/hosts: name and address.
        etc_hosts: Option<Options>,
        /// Name servers.
        dns_servers: Option<Vec<Text>>,
        /// DNS search domains.
        dns_search_domains: Option<Vec<Text>>,
        /// Options of the resolver.
        dns_opts: Option<Vec<Text>>,
        /// Links to other containers, as `name:alias`; obsolete, use `networks`.
        links: Option<Vec<Text>>,
        /// When to restart it.
        restart_policy: Option<RestartPolicy>,
        /// Maximum number of restarts with `on-failure`.
        restart_retries: Option<u64>,
        /// The user, as `name`, `uid` or `uid:gid`.
        user: Option<Text>,
        /// Additional groups.
        groups: Option<Vec<Text>>,
        /// The working directory.
        working_dir: Option<Text>,
        /// Allocate a terminal.
        tty: Option<Flag>,
        /// Keep its standard input open.
        interactive: Option<Flag>,
        /// Run an init process that reaps zombies.
        init: Option<Flag>,
        /// The health check.
        healthcheck: Option<Nested<HealthArgs>>,
        /// Timeout for `state: healthy` in seconds; 0 for none.
        healthy_wait_timeout: f64 = 300.0,
        /// The memory limit.
        memory: Option<Size>,
        /// The soft memory limit.
        memory_reservation: Option<Size>,
        /// The limit of memory and swap together; -1 or `unlimited`.
        memory_swap: Option<Size>,
        /// The swappiness, 0 to 100.
        memory_swappiness: Option<u64>,
        /// The size of /dev/shm.
        shm_size: Option<Size>,
        /// The CPU limit.
        cpus: Option<f64>,
        /// The relative CPU weight.
        cpu_shares: Option<u64>,
        /// The CPU period in microseconds; with `cpu_quota` an alternative to `cpus`.
        cpu_period: Option<u64>,
        /// The CPU quota in microseconds per period.
        cpu_quota: Option<i64>,
        /// The allowed CPUs: `0-2`, `0,1`.
        cpuset_cpus: Option<Text>,
        /// The allowed memory nodes.
        cpuset_mems: Option<Text>,
        /// The relative I/O weight, 10 to 1000.
        blkio_weight: Option<u64>,
        /// Maximum number of processes; -1 for no limit.
        pids_limit: Option<i64>,
        /// Whether the kernel may kill it when out of memory.
        oom_killer: Option<Flag>,
        /// The OOM score adjustment, -1000 to 1000.
        oom_score_adj: Option<i64>,
        /// Ulimits, as `nofile:1024:2048`.
        ulimits: Option<Vec<Ulimit>>,
        /// Kernel parameters.
        sysctls: Option<Options>,
        /// Capabilities to add.
        capabilities: Option<Vec<Text>>,
        /// Capabilities to drop.
        cap_drop: Option<Vec<Text>>,
        /// Give extended privileges on the host.
        privileged: Option<Flag>,
        /// Mount the root file system read-only.
        read_only: Option<Flag>,
        /// Security options such as `no-new-privileges`.
        security_opts: Option<Vec<Text>>,
        /// Devices, as `/dev/host:/dev/inside:rwm`.
        devices: Option<Vec<Device>>,
        /// Device cgroup rules such as `c 42:* rmw`.
        device_cgroup_rules: Option<Vec<Text>>,
        /// Requests for devices by capability, mainly GPUs.
        device_requests: Option<Vec<Nested<DeviceRequestArgs>>>,
        /// Read limits of devices in bytes per second.
        device_read_bps: Option<Vec<Nested<RateArgs>>>,
        /// Write limits of devices in bytes per second.
        device_write_bps: Option<Vec<Nested<RateArgs>>>,
        /// Read limits of devices in operations per second.
        device_read_iops: Option<Vec<Nested<RateArgs>>>,
        /// Write limits of devices in operations per second.
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
        /// The parent cgroup.
        cgroup_parent: Option<Text>,
        /// The OCI runtime, usually `runc`.
        runtime: Option<Text>,
        /// Options of the storage driver.
        storage_opts: Option<Options>,
        /// The log driver.
        log_driver: Option<Text>,
        /// Options of the log driver.
        log_options: Option<Options> | "log_opt",
        /// The signal to stop it.
        stop_signal: Option<Text>,
        /// Seconds from the stop signal to SIGKILL.
        stop_timeout: Option<u64>,
        /// Whether it is paused.
        paused: Option<Flag>,
        /// Replace it even if it does not differ.
        recreate: Flag = Flag(false),
        /// Restart it if it is running.
        restart: Flag = Flag(false),
        /// Kill it instead of stopping it.
        force_kill: Flag | "forcekill" = Flag(false),
        /// The signal to kill it.
        kill_signal: Option<Text>,
        /// Keep anonymous volumes when it is removed; a replacement gets them.
        keep_volumes: Flag = Flag(true),
        /// Let the Engine remove it when it exits.
        auto_remove: Option<Flag>,
        /// `no` waits until it exits, and returns its output and status.
        detach: Flag = Flag(true),
        /// With `detach: no`, return its output.
        output_logs: Flag = Flag(true),
        /// With `detach: no`, remove it afterwards.
        cleanup: Flag = Flag(false),
        /// How to compare, by argument (`*` for all): `strict`, `ignore`, or `allow_more_present`, the default for
        /// unordered lists and mappings.
        comparisons: Option<Map>,
        /// Whether another name of the same image is a difference.
        image_name_mismatch: NameMismatch = NameMismatch::Recreate,
        /// Timeout in seconds for the removal of a container.
        removal_wait_timeout: f64 = 30.0,
    }
}
