//! Networks, subnets and security groups.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    Answer, Call, State, error,
    filter::{known, page, text},
};

const PAGED: [&str; 3] = ["Filters", "Offset", "Limit"];

pub(crate) fn answer(state: &mut State, call: &Call, _: &str) -> Answer {
    let payload = call.payload;
    match call.action {
        "DescribeVpcs" => {
            known(payload, &[&PAGED[..], &["VpcIds"]].concat())?;
            page(payload, state.vpcs.values(), "VpcSet", "TagSet", true, |name| match name {
                "vpc-name" => Some("VpcName"),
                "vpc-id" => Some("VpcId"),
                "cidr-block" => Some("CidrBlock"),
                _ => None,
            })
        }
        "DescribeSubnets" => {
            known(payload, &[&PAGED[..], &["SubnetIds"]].concat())?;
            page(payload, state.subnets.values(), "SubnetSet", "TagSet", true, |name| match name {
                "subnet-name" => Some("SubnetName"),
                "vpc-id" => Some("VpcId"),
                "zone" => Some("Zone"),
                _ => None,
            })
        }
        "DescribeSecurityGroups" => {
            known(payload, &[&PAGED[..], &["SecurityGroupIds"]].concat())?;
            page(payload, state.groups.values(), "SecurityGroupSet", "TagSet", true, |name| match name {
                "security-group-name" => Some("SecurityGroupName"),
                _ => None,
            })
        }
        "CreateVpc" => {
            known(payload, &["VpcName", "CidrBlock", "Tags"])?;
            let id = state.new_id("vpc");
            let vpc = json!({
                "VpcId": id, "VpcName": text(payload, "VpcName")?, "CidrBlock": text(payload, "CidrBlock")?,
                "TagSet": payload["Tags"],
            });
            state.vpcs.insert(id, vpc.clone());
            Ok(json!({ "Vpc": vpc }))
        }
        "CreateSubnet" => create_subnet(state, payload),
        "CreateSecurityGroup" => {
            known(payload, &["GroupName", "GroupDescription", "ProjectId", "Tags"])?;
            text(payload, "GroupDescription")?;
            let id = state.new_id("sg");
            let group = json!({
                "SecurityGroupId": id, "SecurityGroupName": text(payload, "GroupName")?, "TagSet": payload["Tags"],
                "SecurityGroupDesc": payload["GroupDescription"],
            });
            state.groups.insert(id.clone(), group.clone());
            state.policies.insert(id, json!({ "Version": "0", "Ingress": [], "Egress": [] }));
            Ok(json!({ "SecurityGroup": group }))
        }
        "DescribeSecurityGroupPolicies" => {
            known(payload, &["SecurityGroupId", "Filters"])?;
            let id = text(payload, "SecurityGroupId")?;
            match state.policies.get(&id) {
                Some(policies) => Ok(json!({ "SecurityGroupPolicySet": policies })),
                None => error("ResourceNotFound", format!("{id} not found")),
            }
        }
        "ModifySecurityGroupPolicies" => modify_policies(state, payload),
        "DeleteSecurityGroup" => {
            known(payload, &["SecurityGroupId"])?;
            let id = text(payload, "SecurityGroupId")?;
            let used = state.instances.values().any(|instance| instance["SecurityGroupIds"] == json!([id]));
            if used {
                return error("ResourceInUse", format!("{id} is used by instances"));
            }
            state.policies.remove(&id);
            remove(&mut state.groups, &id)
        }
        "DeleteSubnet" => {
            known(payload, &["SubnetId"])?;
            let id = text(payload, "SubnetId")?;
            let used = state.instances.values().any(|instance| instance["VirtualPrivateCloud"]["SubnetId"] == *id);
            if used {
                return error("ResourceInUse", format!("{id} is used by instances"));
            }
            remove(&mut state.subnets, &id)
        }
        "DeleteVpc" => {
            known(payload, &["VpcId"])?;
            let id = text(payload, "VpcId")?;
            let within = |all: &BTreeMap<String, Value>| all.values().any(|found| found["VpcId"] == *id);
            if within(&state.subnets) || within(&state.balancers) {
                return error("ResourceInUse", format!("{id} is not empty"));
            }
            remove(&mut state.vpcs, &id)
        }
        other => error("InvalidAction", format!("The request action={other} is invalid or not found.")),
    }
}

fn remove(all: &mut BTreeMap<String, Value>, id: &str) -> Answer {
    match all.remove(id) {
        Some(_) => Ok(json!({})),
        None => error("ResourceNotFound", format!("{id} not found")),
    }
}

fn create_subnet(state: &mut State, payload: &Value) -> Answer {
    known(payload, &["VpcId", "SubnetName", "Zone", "CidrBlock", "Tags"])?;
    let (vpc, cidr) = (text(payload, "VpcId")?, text(payload, "CidrBlock")?);
    if !state.vpcs.contains_key(&vpc) {
        return error("ResourceNotFound", format!("{vpc} not found"));
    }
    if state.subnets.values().any(|subnet| subnet["VpcId"] == *vpc && subnet["CidrBlock"] == *cidr) {
        return error("InvalidParameterValue.SubnetConflict", format!("{cidr} is taken"));
    }
    let id = state.new_id("subnet");
    let subnet = json!({
        "SubnetId": id, "VpcId": vpc, "CidrBlock": cidr, "Zone": text(payload, "Zone")?,
        "SubnetName": text(payload, "SubnetName")?, "TagSet": payload["Tags"],
    });
    state.subnets.insert(id, subnet.clone());
    Ok(json!({ "Subnet": subnet }))
}

fn modify_policies(state: &mut State, payload: &Value) -> Answer {
    known(payload, &["SecurityGroupId", "SecurityGroupPolicySet", "SortPolicys"])?;
    let id = text(payload, "SecurityGroupId")?;
    let Some(policies) = state.policies.get_mut(&id) else {
        return error("ResourceNotFound", format!("{id} not found"));
    };
    let version = policies["Version"].as_str().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) + 1;
    let side = |name: &str| -> Answer {
        let mut rules = Vec::new();
        for (index, rule) in payload["SecurityGroupPolicySet"][name].as_array().into_iter().flatten().enumerate() {
            known(rule, &["Protocol", "Port", "CidrBlock", "Action", "PolicyDescription"])?;
            if !["TCP", "UDP", "ICMP", "ALL"].contains(&text(rule, "Protocol")?.as_str()) {
                return error("InvalidParameterValue.Malformed", "Protocol");
            }
            if !["ACCEPT", "DROP"].contains(&text(rule, "Action")?.as_str()) {
                return error("InvalidParameterValue.Malformed", "Action");
            }
            // What comes back is not letter by letter what was sent.
            let protocol = text(rule, "Protocol")?.to_lowercase();
            rules.push(json!({
                "PolicyIndex": index, "Protocol": protocol, "Port": text(rule, "Port")?, "Ipv6CidrBlock": "",
                "CidrBlock": text(rule, "CidrBlock")?, "Action": rule["Action"], "SecurityGroupId": "",
                "PolicyDescription": rule["PolicyDescription"], "ModifyTime": "2026-01-01 00:00:00",
            }));
        }
        Ok(json!(rules))
    };
    let (ingress, egress) = (side("Ingress")?, side("Egress")?);
    if ingress == json!([]) && egress == json!([]) {
        return error("MissingParameter", "SecurityGroupPolicySet");
    }
    *policies = json!({ "Version": version.to_string(), "Ingress": ingress, "Egress": egress });
    Ok(json!({}))
}
