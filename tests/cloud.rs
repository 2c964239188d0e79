//! The playbooks for Tencent Cloud with a simulated API (tests/cloud): from nothing to two hosts behind a load balancer
//! and back, with every call failing once on the way.

use std::{fs, process::Command, thread, time::Duration};

use account::{Account, project};
use cloud_stand_in::{Fault, Settings};
use serde_json::{Value, json};

mod account;
#[allow(dead_code, reason = "only the executable is wanted of it, not its snapshots")]
mod seen;
mod sshd;

const ALL_THERE: &str =
    r#"{"vpcs":1,"subnets":1,"groups":1,"keys":1,"instances":2,"balancers":1,"listeners":1,"rules":1,"targets":2}"#;
const NOTHING: &str =
    r#"{"vpcs":0,"subnets":0,"groups":0,"keys":0,"instances":0,"balancers":0,"listeners":0,"rules":0,"targets":0}"#;

/// The actions of a fresh provision or deprovision.
fn actions(account: &Account) -> Vec<String> {
    account.cloud.calls().into_keys().collect()
}

#[test]
fn from_nothing_to_two_hosts_and_back() {
    let account = Account::new(|_| {});
    assert!(account.succeeds("provision", &[]) > 9);
    account.has(ALL_THERE);
    {
        let state = account.cloud.state();
        let vpc = state.vpcs.values().next().unwrap();
        assert_eq!((&vpc["VpcName"], &vpc["CidrBlock"]), (&json!("todo"), &json!("10.1.0.0/16")));
        let subnet = state.subnets.values().next().unwrap();
        assert_eq!(subnet["CidrBlock"], "10.1.1.0/24");
        for instance in state.instances.values() {
            assert_eq!(instance["InstanceType"], "SA5.MEDIUM2");
            assert_eq!(instance["Placement"]["Zone"], "ap-guangzhou-6");
            assert_eq!(instance["SystemDisk"], json!({ "DiskType": "CLOUD_BSSD", "DiskSize": 50 }));
            assert_eq!(
                instance["InternetAccessible"],
                json!({ "InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 1, "PublicIpAssigned": true })
            );
            assert_eq!(instance["Tags"], json!([{ "Key": "rplay:stack", "Value": "todo" }]));
        }
        let listener = &state.listeners.values().next().unwrap()[0];
        assert_eq!((&listener["Port"], &listener["Protocol"]), (&json!(180), &json!("HTTP")));
        let rule = &listener["Rules"][0];
        assert_eq!(
            (&rule["Domain"], &rule["Url"], &rule["Scheduler"]),
            (&json!("local.com"), &json!("/"), &json!("WRR"))
        );
        assert_eq!(rule["HealthCheck"]["HttpCode"], 2);
        assert_eq!(rule["HealthCheck"]["HttpCheckPath"], "/api/v1/ping");
        assert_eq!(rule["HealthCheck"]["HttpCheckMethod"], "GET");
        assert_eq!(state.weights().into_values().collect::<Vec<_>>(), [10, 10]);
    }
    account.cloud.forget_calls();
    assert_eq!(account.succeeds("provision", &[]), 0, "the second run changes nothing");
    for action in actions(&account) {
        assert!(action.starts_with("Describe"), "{action} was called again");
    }
    account.run("deprovision", &[]).fails_with("say which stack is to be removed");
    assert!(account.succeeds("deprovision", &["-e", "stack=other"]) == 0);
    account.has(ALL_THERE);
    assert!(account.succeeds("deprovision", &["-e", "stack=todo", "--check"]) > 5);
    account.has(ALL_THERE);
    assert!(account.succeeds("deprovision", &["-e", "stack=todo"]) > 5);
    account.has(NOTHING);
    assert_eq!(account.succeeds("deprovision", &["-e", "stack=todo"]), 0);
}

/// Runs it until it succeeds; returns how many runs failed, each with those words.
fn failures_until_success(account: &Account, playbook: &str, more: &[&str], said: &str) -> usize {
    for failed in 0..50 {
        let run = account.run(playbook, more);
        if run.code == Some(0) {
            return failed;
        }
        run.fails_with(said);
    }
    panic!("{playbook} never does well");
}

#[test]
fn a_run_continues_where_an_earlier_one_failed() {
    let account = Account::new(|_| {});
    account.succeeds("provision", &[]);
    let made = actions(&account);
    account.cloud.forget_calls();
    account.succeeds("deprovision", &["-e", "stack=todo"]);
    let removed = actions(&account);
    assert!(made.len() > 18 && removed.len() > 10, "{made:?} {removed:?}");
    // Each run fails at the first of these calls that it reaches, and the next one gets further.
    let fail = |actions: &[String]| {
        for action in actions {
            account.cloud.fail(Fault::new(action, "UnauthorizedOperation"));
        }
    };
    fail(&made);
    assert_eq!(failures_until_success(&account, "provision", &[], "UnauthorizedOperation"), made.len());
    account.has(ALL_THERE);
    fail(&removed);
    let stack = ["-e", "stack=todo"];
    assert_eq!(failures_until_success(&account, "deprovision", &stack, "UnauthorizedOperation"), removed.len());
    account.has(NOTHING);
}

#[test]
fn a_lost_answer_creates_nothing_twice() {
    // Calls that were executed without an answer are visible at once, so a run that checks first does not repeat them.
    let account = Account::new(|settings| settings.latency = std::time::Duration::ZERO);
    let writes = [
        "CreateVpc",
        "CreateSubnet",
        "CreateSecurityGroup",
        "ModifySecurityGroupPolicies",
        "ImportKeyPair",
        "RunInstances",
        "CreateLoadBalancer",
        "CreateListener",
        "CreateRule",
        "RegisterTargets",
    ];
    for action in writes {
        account.cloud.fail(Fault::lost_answer(action));
    }
    let failed = failures_until_success(&account, "provision", &[], "the call may have been executed");
    // Those without a ClientToken that would create a second one.
    assert_eq!(failed, 6);
    account.has(ALL_THERE);
}

#[test]
fn throttling_and_network_errors_are_survived() {
    let account = Account::new(|settings| {
        settings.throttle = true;
        settings.empty_ids = false;
    });
    account.cloud.fail(Fault { times: 3, ..Fault::new("RunInstances", "InternalError") });
    account.cloud.fail(Fault { times: 2, ..Fault::new("RegisterTargets", "FailedOperation.ResourceInOperating") });
    account.cloud.fail(Fault { times: 2, ..Fault::new("DescribeInstances", "") });
    account.succeeds("provision", &[]);
    account.has(ALL_THERE);
    assert_eq!(account.cloud.calls()["RunInstances"], 5);
}

#[test]
fn sold_out_types_are_created_in_another_zone() {
    let subnets = r#"{"tencent_instance_types": ["SA5.MEDIUM2", "S6.MEDIUM2"], "tencent_subnets": [
        {"name": "sub-todo", "cidr": "10.1.1.0/24", "zone": "ap-guangzhou-6"},
        {"name": "sub-todo-7", "cidr": "10.1.7.0/24", "zone": "ap-guangzhou-7"}]}"#;
    let where_they_are = |account: &Account| {
        let state = account.cloud.state();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let all = state.instances.values();
        all.map(|found| (text(&found["Placement"]["Zone"]), text(&found["InstanceType"]))).collect::<Vec<_>>()
    };
    let account = Account::new(|settings| settings.sold_out = vec!["*/SA5.MEDIUM2".to_owned()]);
    account.run("provision", &[]).fails_with("SA5.MEDIUM2: sold out in ap-guangzhou-6. Add types");
    account.succeeds("provision", &["-e", subnets]);
    assert_eq!(where_they_are(&account), vec![("ap-guangzhou-6".to_owned(), "S6.MEDIUM2".to_owned()); 2]);

    let account = Account::new(|settings| settings.sold_out = vec!["ap-guangzhou-6/*".to_owned()]);
    account.succeeds("provision", &["-e", subnets]);
    assert_eq!(where_they_are(&account), vec![("ap-guangzhou-7".to_owned(), "SA5.MEDIUM2".to_owned()); 2]);
    assert_eq!(account.succeeds("provision", &["-e", subnets]), 0);
    account.succeeds("deprovision", &["-e", "stack=todo"]);
    account.has(NOTHING);
}

#[test]
fn a_host_that_cannot_be_started_is_created_again() {
    let account = Account::new(|settings| settings.launch_failures = 1);
    account.run("provision", &[]).fails_with("todo-1: LAUNCH_FAILED no more of these");
    // The failed one is still in the list, next to the new one of the same name.
    account.succeeds("provision", &[]);
    assert_eq!(account.cloud.state().instances.len(), 3);
    assert_eq!(account.succeeds("provision", &[]), 0);
    assert_eq!(account.cloud.state().weights().len(), 2);
    let cloud = account.cloud.clone();
    let clear = thread::spawn(move || {
        thread::sleep(Duration::from_millis(600));
        cloud.state().instances.retain(|_, instance| instance["InstanceState"] != "LAUNCH_FAILED");
    });
    account.succeeds("deprovision", &["-e", "stack=todo"]);
    clear.join().unwrap();
    account.has(NOTHING);
}

#[test]
fn two_hosts_of_one_name_are_reported() {
    let account = Account::new(|_| {});
    account.succeeds("provision", &[]);
    {
        let mut state = account.cloud.state();
        let mut twin = state.instances.values().find(|found| found["InstanceName"] == "todo-2").unwrap().clone();
        twin["InstanceId"] = json!("ins-twin");
        state.instances.insert("ins-twin".to_owned(), twin);
    }
    account.run("provision", &[]).fails_with("todo-2 is ins-twin");
    let run = account.with_inventory(&account.inventory(""), &["playbooks/deprovision.yml", "--check"]);
    assert!(run.text.contains("more than one running host `todo-2`"), "{}", run.text);
}

#[test]
fn check_mode_shows_the_plan_and_its_price() {
    let account = Account::new(|_| {});
    let run = account.run("provision", &["--check"]);
    assert_eq!(run.code, Some(0), "{}", run.text);
    for line in [
        "to make:  network todo 10.1.0.0/16",
        "to make:  host todo-2, SA5.MEDIUM2 in ap-guangzhou-6, CLOUD_BSSD 50 GB",
        "to make:  balancer todoclb, HTTP 180 for local.com/",
        "price of the 2 new hosts: 0.38 per hour, traffic 0.8 per GB",
    ] {
        assert!(run.text.contains(line), "{line} is not in {}", run.text);
    }
    account.has(NOTHING);
    // Then there is no host for site.yml.
    assert!(account.run("cloud", &["--check"]).text.contains("skipping: no hosts matched"));
    account.has(NOTHING);
    let calls = account.cloud.state().calls.clone();
    for (action, payload) in calls {
        let is_dry = action == "RunInstances" && payload["DryRun"] == true;
        assert!(action.starts_with("Describe") || action.starts_with("Inquiry") || is_dry, "{action} {payload}");
    }
    assert_eq!(fs::read_dir(account.directory.path()).unwrap().count(), 0, "no key is made");
    // Errors of the dry run are reported before anything is created.
    account.cloud.state().settings.sold_out = vec!["*/*".to_owned()];
    account.run("provision", &["--check"]).fails_with("sold out in ap-guangzhou-6");
    account.cloud.state().settings.sold_out.clear();
    account.succeeds("provision", &[]);
    let run = account.run("provision", &["--check"]);
    assert!(run.text.contains("is there: host todo-1") && run.text.contains("no new host to pay for"), "{}", run.text);
    assert_eq!(run.changed(), 0);
}

#[test]
fn a_wrong_key_is_one_clear_error_and_shown_nowhere() {
    let account = Account::new(|_| {});
    let (id, key) = ("AKIDof-somebody-else", "a-key-that-nobody-may-see");
    let run = account.run_as("provision", &["-vvv"], id, key);
    run.fails_with("DescribeVpcs: AuthFailure.SecretIdNotFound: The SecretId is not found");
    assert_eq!(run.text.matches("fatal: ").count(), 1);
    assert!(!run.text.contains(id) && !run.text.contains(key), "{}", run.text);
    let run = account.run_as("provision", &["-vvv"], &Settings::default().secret_id, key);
    run.fails_with("AuthFailure.SignatureFailure");
    assert!(!run.text.contains(key));
    account.run_as("provision", &[], "", "").fails_with("TENCENTCLOUD_SECRET_ID");
    account.has(NOTHING);
}

#[test]
fn secrets_are_not_shown_at_the_highest_verbosity() {
    let account = Account::new(|settings| settings.token = Some("a-token-of-its-own".to_owned()));
    let settings = Settings::default();
    let run = account.run("provision", &["-vvvv", "--diff", "-e", "tencent_token=a-token-of-its-own"]);
    assert_eq!(run.code, Some(0), "{}", run.text);
    for secret in [settings.secret_id.as_str(), &settings.secret_key, "a-token-of-its-own", "PRIVATE KEY"] {
        assert!(!run.text.contains(secret), "{secret} is shown in {}", run.text);
    }
}

#[test]
fn a_network_with_a_similar_name_is_not_used() {
    let account = Account::new(|_| {});
    let other = r#"{"stack": "other", "tencent_vpc_name": "todo-old", "tencent_balancer_type": "INTERNAL"}"#;
    account.succeeds("provision", &["-e", other]);
    {
        let state = account.cloud.state();
        let (_, made) = state.calls.iter().find(|(action, _)| action == "CreateLoadBalancer").unwrap();
        assert_eq!(made["SubnetId"].as_str(), state.subnets.keys().next().map(String::as_str));
        assert!(made["InternetAccessible"].is_null());
    }
    account.succeeds("provision", &[]);
    assert_eq!(account.cloud.state().vpcs.len(), 2);
    assert_eq!(account.succeeds("provision", &[]), 0);
    account.succeeds("deprovision", &["-e", "stack=other"]);
    account.has(ALL_THERE);
}

#[test]
fn the_hosts_are_an_inventory() {
    let account = Account::new(|_| {});
    let inventory = account.inventory("vars: {todo_balancer: tencent}\n");
    let settings = Settings::default();
    let list = |inventory: &str| {
        let output =
            account.command(&["inventory", "-i", inventory, "--list"], &settings.secret_id, &settings.secret_key);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str::<Value>(&text)
            .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
    };
    assert_eq!(list(&inventory)["_meta"]["hostvars"], json!({}));
    account.succeeds("provision", &[]);
    account.succeeds("provision", &["-e", "stack=other"]);
    let found = list(&inventory);
    assert_eq!(found["todo"]["hosts"], json!(["todo-1", "todo-2"]));
    let host = &found["_meta"]["hostvars"]["todo-1"];
    // What the cloud says is no template.
    let said = |text: &str| json!({ "__ansible_unsafe": text });
    assert_eq!((&host["ansible_host"], &host["todo_balancer"]), (&said("127.0.0.1"), &json!("tencent")));
    assert_eq!((&host["todo_private_address"], &host["tencent_stack"]), (&said("10.1.1.10"), &said("todo")));
    let private = account.inventory("address: private\ngroup: web\n");
    let found = list(&private);
    assert_eq!(found["web"]["hosts"], json!(["todo-1", "todo-2"]));
    assert_eq!(found["_meta"]["hostvars"]["todo-2"]["ansible_host"], said("10.1.1.11"));
}

#[test]
fn an_inventory_that_cannot_be_queried_says_why() {
    let account = Account::new(|_| {});
    for (more, said) in [
        ("grop: web\n", "did you mean `group`?"),
        ("address: both\n", "`address` must be public or private"),
        ("vars: [a]\n", "`vars` must be a mapping"),
    ] {
        let run = account.with_inventory(&account.inventory(more), &["playbooks/provision.yml"]);
        assert!(run.code != Some(0) && run.text.contains(said), "{said} is not in {}", run.text);
    }
    let inventory = account.inventory("");
    let output = account.command(&["inventory", "-i", &inventory, "--list"], "", "");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("no API key for the cloud"), "{text}");
    let output = account.command(&["inventory", "-i", &inventory, "--list"], "AKIDwrong", "hush-hush-hush");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("AuthFailure.SecretIdNotFound") && !text.contains("hush-hush"), "{text}");
}

/// One inventory creates the hosts and knows them, from the first run on.
#[test]
fn provision_and_inventory_mean_the_same_stack() {
    let account = Account::new(|_| {});
    let inventory = account.inventory("");
    let variables = account.variables().to_string();
    let run = account.with_inventory(&inventory, &["playbooks/provision.yml", "-e", &variables]);
    assert_eq!(run.code, Some(0), "{}", run.text);
    account.has(ALL_THERE);
    let run = account.with_inventory(&inventory, &["playbooks/provision.yml", "-e", &variables]);
    assert_eq!((run.code, run.changed()), (Some(0), 0), "{}", run.text);
    // Later plays of the same run know the hosts at once.
    let after = account.directory.path().join("after.yml");
    fs::write(
        &after,
        "- hosts: todo\n  connection: local\n  gather_facts: false\n  tasks:\n    - debug: {msg: \"{{ todo_private_address }}\"}\n",
    )
    .unwrap();
    account.succeeds("deprovision", &["-e", "stack=todo"]);
    let run = account.run("provision", &[after.to_str().unwrap()]);
    assert!(run.code == Some(0) && run.text.contains("10.1.1.11"), "{}", run.text);
}

/// The play of the next test replaces site.yml, which needs real hosts.
#[test]
fn site_drains_as_the_test_does() {
    let read = |path: &str| fs::read_to_string(project().join(path)).unwrap();
    let (play, site) = (read("tests/cloud/plays/drain.yml"), read("playbooks/site.yml"));
    for task in ["Take the host out of the cloud's balancer", "Put the host back into the cloud's balancer"] {
        let (_, task) = play.split_once(&format!("    - name: {task}\n")).unwrap();
        let task = task.split_once("  tasks:").map_or(task, |(task, _)| task);
        assert!(site.contains(task.trim_end()), "site.yml has it otherwise: {task}");
    }
}

/// From nothing to a task on the new hosts in one run, over real ssh with the key that was created for them.
#[test]
fn new_hosts_are_reached_in_the_same_run() {
    let Some(server) = sshd::Sshd::start("") else { return };
    let account = Account { port: server.port, ..Account::new(|_| {}) };
    let key = account.directory.path().join("id_rsa");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-N", "", "-f"]).arg(&key).status();
    assert!(made.unwrap().success());
    fs::copy(key.with_extension("pub"), server.at("authorized_keys")).unwrap();
    let after = account.directory.path().join("after.yml");
    let play = "- hosts: todo\n  gather_facts: false\n  tasks:\n    - shell: echo {{ inventory_hostname }} in $SSH_CONNECTION\n";
    fs::write(&after, play).unwrap();
    let user = rplay_modules::system::accounts::User::numbered(nix::unistd::getuid().as_raw()).unwrap().name;
    let run = account.run("provision", &[after.to_str().unwrap(), "-v", "-e", &format!("tencent_user={user}")]);
    assert_eq!(run.code, Some(0), "{}\n{}", run.text, server.log());
    for host in ["todo-1 in 127.0.0.1", "todo-2 in 127.0.0.1"] {
        assert!(run.text.contains(host), "{}", run.text);
    }
    let known = account.directory.path().join("known_hosts");
    let host_key = fs::read_to_string(server.at("host.pub")).unwrap();
    let host_key = host_key.split_whitespace().nth(1).unwrap();
    assert!(fs::read_to_string(&known).unwrap().contains(host_key));
    account.succeeds("deprovision", &["-e", "stack=todo"]);
    assert!(!known.exists(), "other hosts may get the addresses");
}

#[test]
fn a_host_is_out_of_the_balancer_while_it_is_updated() {
    let account = Account::new(|_| {});
    account.succeeds("provision", &[]);
    let inventory = account.inventory("vars: {todo_balancer: tencent}\n");
    let variables = account.variables().to_string();
    let drain = |more: &[&str]| {
        let mut all = vec!["tests/cloud/plays/drain.yml", "-e", &variables];
        all.extend(more);
        account.with_inventory(&inventory, &all)
    };
    let weights = || account.cloud.state().weights().into_values().collect::<Vec<_>>();
    let run = drain(&[]);
    assert_eq!((run.code, run.changed()), (Some(0), 0), "{}", run.text);
    assert_eq!(weights(), [10, 10]);
    // A part selected by its tag is drained, too.
    account.cloud.forget_calls();
    assert_eq!(drain(&["--tags", "update"]).code, Some(0));
    assert_eq!(account.cloud.calls()["ModifyTargetWeight"], 4);

    let run = drain(&["-e", "broken=todo-1"]);
    run.fails_with("the update fails");
    assert!(run.text.contains("todo-1 is out of the balancer (weight 0). If this run fails it stays out"));
    assert_eq!(weights(), [0, 10]);
    let run = drain(&["-e", "broken=todo-2"]);
    run.fails_with("the update fails");
    // It put the first one back, and left the second one out.
    assert_eq!((weights(), run.changed()), (vec![10, 0], 1));
    // The first one is now the last serving host; refusing to update it would keep the other one out for ever.
    let run = drain(&["-e", "last=todo-1"]);
    assert!(run.code == Some(0) && run.text.contains("todo-1 is the only host"), "{}", run.text);
    assert_eq!((weights(), run.changed()), (vec![10, 10], 1));
}
