//! Hosts, their keys and images, and what they cost.

use serde_json::{Value, json};

use crate::{
    Answer, Call, State, error,
    filter::{known, page, text, texts},
};

const PAGED: [&str; 3] = ["Filters", "Offset", "Limit"];
const PRICED: [&str; 11] = [
    "InstanceChargeType",
    "Placement",
    "InstanceType",
    "ImageId",
    "SystemDisk",
    "VirtualPrivateCloud",
    "InternetAccessible",
    "InstanceCount",
    "InstanceName",
    "LoginSettings",
    "SecurityGroupIds",
];

pub(crate) fn answer(state: &mut State, call: &Call, id: &str) -> Answer {
    let payload = call.payload;
    match call.action {
        "DescribeInstances" => {
            known(payload, &[&PAGED[..], &["InstanceIds"]].concat())?;
            let wanted = texts(payload, "InstanceIds");
            let listed = |id: &String| !state.unlisted.contains(id) && (wanted.is_empty() || wanted.contains(id));
            let all = state.instances.iter().filter(|(id, _)| listed(id));
            page(payload, all.map(|(_, instance)| instance), "InstanceSet", "Tags", false, |name| match name {
                "instance-name" => Some("InstanceName"),
                "instance-id" => Some("InstanceId"),
                _ => None,
            })
        }
        "DescribeKeyPairs" => {
            known(payload, &[&PAGED[..], &["KeyIds"]].concat())?;
            page(payload, state.keys.values(), "KeyPairSet", "Tags", false, |name| match name {
                "key-name" => Some("KeyName"),
                _ => None,
            })
        }
        "DescribeImages" => {
            known(payload, &[&PAGED[..], &["ImageIds", "InstanceType"]].concat())?;
            page(payload, images().iter(), "ImageSet", "Tags", false, |name| match name {
                "image-type" => Some("ImageType"),
                "platform" => Some("Platform"),
                "image-name" => Some("ImageName"),
                _ => None,
            })
        }
        "ImportKeyPair" => import_key(state, payload),
        "DeleteKeyPairs" => {
            known(payload, &["KeyIds"])?;
            for id in texts(payload, "KeyIds") {
                let used = state.instances.values().any(|instance| instance["LoginSettings"]["KeyIds"] == json!([id]));
                if used {
                    return error("InvalidKeyPair.Associated", format!("{id} is used"));
                }
                if state.keys.remove(&id).is_none() {
                    return error("InvalidKeyPairId.NotFound", format!("{id} not found"));
                }
            }
            Ok(json!({}))
        }
        "InquiryPriceRunInstances" => {
            known(payload, &PRICED)?;
            check_image(&text(payload, "ImageId")?)?;
            let count = payload["InstanceCount"].as_i64().unwrap_or(1) as f64;
            Ok(json!({ "Price": {
                "InstancePrice": { "UnitPrice": 0.21 * count, "UnitPriceDiscount": 0.19 * count, "ChargeUnit": "HOUR" },
                "BandwidthPrice": { "UnitPrice": 0.8, "UnitPriceDiscount": 0.8, "ChargeUnit": "GB" },
            }}))
        }
        "RunInstances" => run(state, payload, id),
        "TerminateInstances" => terminate(state, payload, id),
        other => error("InvalidAction", format!("The request action={other} is invalid or not found.")),
    }
}

fn images() -> [Value; 4] {
    let image = |id: &str, platform: &str, name: &str| {
        json!({
            "ImageId": id, "Platform": platform, "OsName": name, "ImageName": name, "ImageType": "PUBLIC_IMAGE",
            "ImageState": "NORMAL", "Architecture": "x86_64", "CreatedTime": "2024-01-01T00:00:00Z",
        })
    };
    [
        image("img-debian11", "Debian", "Debian 11.4 64bit"),
        image("img-debian12", "Debian", "Debian 12.5 64bit"),
        image("img-debian12x", "Debian", "Debian 12.5 64bit NVIDIA GPU"),
        image("img-centos7", "CentOS", "CentOS 7.9 64bit"),
    ]
}

fn check_image(id: &str) -> Result<(), (String, String)> {
    match images().iter().any(|image| image["ImageId"] == *id) {
        true => Ok(()),
        false => error("InvalidImageId.NotFound", format!("{id} not found")),
    }
}

fn import_key(state: &mut State, payload: &Value) -> Answer {
    known(payload, &["KeyName", "ProjectId", "PublicKey", "TagSpecification"])?;
    let (name, key) = (text(payload, "KeyName")?, text(payload, "PublicKey")?);
    if name.len() > 25 || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return error("InvalidKeyPairName.IllegalCharacters", "KeyName");
    }
    if !key.starts_with("ssh-rsa ") {
        return error("InvalidPublicKey.Malformed", "only RSA");
    }
    if state.keys.values().any(|found| found["KeyName"] == *name) {
        return error("InvalidKeyPair.Duplicated", format!("{name} is taken"));
    }
    let id = state.new_id("skey");
    let tags = tags_of(payload, "keypair")?;
    state.keys.insert(id.clone(), json!({ "KeyId": id, "KeyName": name, "PublicKey": key, "Tags": tags }));
    Ok(json!({ "KeyId": id }))
}

fn tags_of(payload: &Value, kind: &str) -> Answer {
    let all = payload["TagSpecification"].as_array().into_iter().flatten();
    let found: Vec<&Value> = all.collect();
    match found[..] {
        [] => Ok(json!([])),
        [one] if one["ResourceType"] == *kind => Ok(one["Tags"].clone()),
        _ => error("InvalidParameterValue.TagResource", format!("TagSpecification must be for {kind}")),
    }
}

fn run(state: &mut State, payload: &Value, id: &str) -> Answer {
    known(payload, &[&PRICED[..], &["HostName", "TagSpecification", "ClientToken", "DryRun"]].concat())?;
    let token = payload["ClientToken"].as_str();
    if token.is_some_and(|token| token.len() > 64) {
        return error("InvalidClientToken.TooLong", "ClientToken");
    }
    if let Some(answer) = token.and_then(|token| state.tokens.get(token)) {
        return Ok(answer.clone());
    }
    let (zone, kind) = (text(&payload["Placement"], "Zone")?, text(payload, "InstanceType")?);
    check_image(&text(payload, "ImageId")?)?;
    let matches = |wanted: &str, found: &str| wanted == "*" || wanted == found;
    let sold_out = |entry: &String| {
        entry.split_once('/').is_some_and(|(zones, kinds)| matches(zones, &zone) && matches(kinds, &kind))
    };
    if state.settings.sold_out.iter().any(sold_out) {
        return error("ResourcesSoldOut.SpecifiedInstanceType", format!("{kind} is sold out in {zone}"));
    }
    if payload["DryRun"] == true {
        return Ok(json!({ "InstanceIdSet": [] }));
    }
    let network = &payload["VirtualPrivateCloud"];
    let subnet = state.subnets.get(&text(network, "SubnetId")?).cloned().unwrap_or_default();
    if subnet["Zone"] != *zone || subnet["VpcId"] != network["VpcId"] {
        return error("InvalidParameterValue.VpcIdZoneIdNotMatch", "the subnet is not in this zone");
    }
    let tags = tags_of(payload, "instance")?;
    let mut ids = Vec::new();
    for _ in 0..payload["InstanceCount"].as_i64().unwrap_or(1) {
        let instance_id = state.new_id("ins");
        let number = state.instances.len() + 10;
        let address = match state.settings.addresses.is_empty() {
            true => format!("127.0.0.{number}"),
            false => state.settings.addresses.remove(0),
        };
        let launch_failed = state.settings.launch_failures > 0;
        state.settings.launch_failures -= usize::from(launch_failed);
        let instance = json!({
            "InstanceId": instance_id, "InstanceName": text(payload, "InstanceName")?, "InstanceType": kind,
            "Placement": { "Zone": zone }, "InstanceState": "PENDING", "Tags": tags, "VirtualPrivateCloud": network,
            "SecurityGroupIds": payload["SecurityGroupIds"], "LoginSettings": payload["LoginSettings"],
            "PrivateIpAddresses": [format!("10.1.1.{number}")], "PublicIpAddresses": null,
            "SystemDisk": payload["SystemDisk"], "InternetAccessible": payload["InternetAccessible"],
            "LatestOperationErrorMsg": null,
        });
        state.instances.insert(instance_id.clone(), instance);
        // Every other one shows only when it runs.
        if number % 2 == 1 {
            state.unlisted.push(instance_id.clone());
        }
        ids.push(instance_id.clone());
        state.later(&format!("{id}/{instance_id}"), None, Vec::new(), move |state| {
            state.unlisted.retain(|id| *id != instance_id);
            let Some(instance) = state.instances.get_mut(&instance_id) else { return };
            if launch_failed {
                instance["InstanceState"] = json!("LAUNCH_FAILED");
                instance["LatestOperationErrorMsg"] = json!("no more of these");
                return;
            }
            instance["InstanceState"] = json!("RUNNING");
            instance["PublicIpAddresses"] = json!([address]);
        });
    }
    let answer = json!({ "InstanceIdSet": ids });
    if let Some(token) = token {
        state.tokens.insert(token.to_owned(), answer.clone());
    }
    Ok(answer)
}

fn terminate(state: &mut State, payload: &Value, id: &str) -> Answer {
    known(payload, &["InstanceIds", "ReleaseAddress"])?;
    let ids = texts(payload, "InstanceIds");
    if ids.is_empty() {
        return error("MissingParameter", "InstanceIds");
    }
    for instance in &ids {
        match state.instances.get_mut(instance) {
            Some(found) => found["InstanceState"] = json!("TERMINATING"),
            None => return error("InvalidInstanceId.NotFound", format!("{instance} not found")),
        }
    }
    state.later(id, None, Vec::new(), move |state| {
        for instance in ids {
            state.instances.remove(&instance);
        }
    });
    Ok(json!({}))
}
