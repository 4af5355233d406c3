//! EC2's old names (`reference/event-record.md` §7.3): what its records call things is what its SOAP API called them.
//!
//! The operations that existed when that API ended are recorded in its words; all later ones in a generic form. Both
//! lists are checked against real records: none contradicts that rule.

/// Operations of API version 2014-10-01, the last that SOAP spoke. Sorted.
static OLD: &[&str] = &[
    "AcceptVpcPeeringConnection",
    "AllocateAddress",
    "AssignPrivateIpAddresses",
    "AssociateAddress",
    "AssociateDhcpOptions",
    "AssociateRouteTable",
    "AttachClassicLinkVpc",
    "AttachInternetGateway",
    "AttachNetworkInterface",
    "AttachVolume",
    "AttachVpnGateway",
    "AuthorizeSecurityGroupEgress",
    "AuthorizeSecurityGroupIngress",
    "BundleInstance",
    "CancelBundleTask",
    "CancelConversionTask",
    "CancelExportTask",
    "CancelReservedInstancesListing",
    "CancelSpotInstanceRequests",
    "ConfirmProductInstance",
    "CopyImage",
    "CopySnapshot",
    "CreateCustomerGateway",
    "CreateDhcpOptions",
    "CreateImage",
    "CreateInstanceExportTask",
    "CreateInternetGateway",
    "CreateKeyPair",
    "CreateNetworkAcl",
    "CreateNetworkAclEntry",
    "CreateNetworkInterface",
    "CreatePlacementGroup",
    "CreateReservedInstancesListing",
    "CreateRoute",
    "CreateRouteTable",
    "CreateSecurityGroup",
    "CreateSnapshot",
    "CreateSpotDatafeedSubscription",
    "CreateSubnet",
    "CreateTags",
    "CreateVolume",
    "CreateVpc",
    "CreateVpcPeeringConnection",
    "CreateVpnConnection",
    "CreateVpnConnectionRoute",
    "CreateVpnGateway",
    "DeleteCustomerGateway",
    "DeleteDhcpOptions",
    "DeleteInternetGateway",
    "DeleteKeyPair",
    "DeleteNetworkAcl",
    "DeleteNetworkAclEntry",
    "DeleteNetworkInterface",
    "DeletePlacementGroup",
    "DeleteRoute",
    "DeleteRouteTable",
    "DeleteSecurityGroup",
    "DeleteSnapshot",
    "DeleteSpotDatafeedSubscription",
    "DeleteSubnet",
    "DeleteTags",
    "DeleteVolume",
    "DeleteVpc",
    "DeleteVpcPeeringConnection",
    "DeleteVpnConnection",
    "DeleteVpnConnectionRoute",
    "DeleteVpnGateway",
    "DeregisterImage",
    "DescribeAccountAttributes",
    "DescribeAddresses",
    "DescribeAvailabilityZones",
    "DescribeBundleTasks",
    "DescribeClassicLinkInstances",
    "DescribeConversionTasks",
    "DescribeCustomerGateways",
    "DescribeDhcpOptions",
    "DescribeExportTasks",
    "DescribeImageAttribute",
    "DescribeImages",
    "DescribeInstanceAttribute",
    "DescribeInstanceStatus",
    "DescribeInstances",
    "DescribeInternetGateways",
    "DescribeKeyPairs",
    "DescribeNetworkAcls",
    "DescribeNetworkInterfaceAttribute",
    "DescribeNetworkInterfaces",
    "DescribePlacementGroups",
    "DescribeRegions",
    "DescribeReservedInstances",
    "DescribeReservedInstancesListings",
    "DescribeReservedInstancesModifications",
    "DescribeReservedInstancesOfferings",
    "DescribeRouteTables",
    "DescribeSecurityGroups",
    "DescribeSnapshotAttribute",
    "DescribeSnapshots",
    "DescribeSpotDatafeedSubscription",
    "DescribeSpotInstanceRequests",
    "DescribeSpotPriceHistory",
    "DescribeSubnets",
    "DescribeTags",
    "DescribeVolumeAttribute",
    "DescribeVolumeStatus",
    "DescribeVolumes",
    "DescribeVpcAttribute",
    "DescribeVpcClassicLink",
    "DescribeVpcPeeringConnections",
    "DescribeVpcs",
    "DescribeVpnConnections",
    "DescribeVpnGateways",
    "DetachClassicLinkVpc",
    "DetachInternetGateway",
    "DetachNetworkInterface",
    "DetachVolume",
    "DetachVpnGateway",
    "DisableVgwRoutePropagation",
    "DisableVpcClassicLink",
    "DisassociateAddress",
    "DisassociateRouteTable",
    "EnableVgwRoutePropagation",
    "EnableVolumeIO",
    "EnableVpcClassicLink",
    "GetConsoleOutput",
    "GetPasswordData",
    "ImportInstance",
    "ImportKeyPair",
    "ImportVolume",
    "ModifyImageAttribute",
    "ModifyInstanceAttribute",
    "ModifyNetworkInterfaceAttribute",
    "ModifyReservedInstances",
    "ModifySnapshotAttribute",
    "ModifySubnetAttribute",
    "ModifyVolumeAttribute",
    "ModifyVpcAttribute",
    "MonitorInstances",
    "PurchaseReservedInstancesOffering",
    "RebootInstances",
    "RegisterImage",
    "RejectVpcPeeringConnection",
    "ReleaseAddress",
    "ReplaceNetworkAclAssociation",
    "ReplaceNetworkAclEntry",
    "ReplaceRoute",
    "ReplaceRouteTableAssociation",
    "ReportInstanceStatus",
    "RequestSpotInstances",
    "ResetImageAttribute",
    "ResetInstanceAttribute",
    "ResetNetworkInterfaceAttribute",
    "ResetSnapshotAttribute",
    "RevokeSecurityGroupEgress",
    "RevokeSecurityGroupIngress",
    "RunInstances",
    "StartInstances",
    "StopInstances",
    "TerminateInstances",
    "UnassignPrivateIpAddresses",
    "UnmonitorInstances",
];

/// Whether an operation is recorded in the old style.
pub(crate) fn is_old(operation: &str) -> bool {
    OLD.binary_search(&operation).is_ok()
}

/// How a list parameter is recorded: the member's name, and the name that each plain value is wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) name: &'static str,
    pub(crate) value: &'static str,
}

/// How the list parameter of that name (in the form) is recorded; `None` where the rule holds: the name and `Set`.
pub(crate) fn list(operation: &str, parameter: &str) -> Option<List> {
    let of = |rows: &'static [(&str, &str, &str, &str)], operation: &str| {
        let row = rows.iter().find(|(own, name, _, _)| *own == operation && *name == parameter)?;
        Some(List { name: row.2, value: row.3 })
    };
    of(SPECIAL_LISTS, operation).or_else(|| of(LISTS, ""))
}

/// Operation, parameter, name in the record, name of a value.
static SPECIAL_LISTS: &[(&str, &str, &str, &str)] = &[
    ("DescribeSecurityGroups", "GroupId", "securityGroupIdSet", "groupId"),
    ("DescribeSecurityGroups", "GroupName", "securityGroupSet", "groupName"),
    ("DescribePlacementGroups", "GroupId", "placementGroupIdSet", "groupId"),
    ("DescribePlacementGroups", "GroupName", "placementGroupSet", "groupName"),
    ("DescribeReservedInstancesListings", "ReservedInstancesId", "reservedInstancesSet", "reservedInstancesId"),
    ("AttachClassicLinkVpc", "SecurityGroupId", "securityGroupIdSet", "groupId"),
    ("ModifyInstanceAttribute", "GroupId", "groupSet", "groupId"),
    ("RevokeSecurityGroupIngress", "SecurityGroupRuleId", "securityGroupRuleIds", "securityGroupRuleId"),
    ("RevokeSecurityGroupEgress", "SecurityGroupRuleId", "securityGroupRuleIds", "securityGroupRuleId"),
    ("DescribeSpotPriceHistory", "InstanceType", "instanceTypeSet", "instanceType"),
];

static LISTS: &[(&str, &str, &str, &str)] = &[
    ("", "Add", "add", ""),
    ("", "AllocationId", "allocationIdsSet", "allocationId"),
    ("", "AttributeName", "accountAttributeNameSet", "attributeName"),
    ("", "BlockDeviceMapping", "blockDeviceMapping", ""),
    ("", "BundleId", "bundlesSet", "bundleId"),
    ("", "CustomerGatewayId", "customerGatewaySet", "customerGatewayId"),
    ("", "DhcpOptionsId", "dhcpOptionsSet", "dhcpOptionsId"),
    ("", "ExecutableBy", "executableBySet", "user"),
    ("", "Filter", "filterSet", ""),
    ("", "Groups", "groups", ""),
    ("", "ImageId", "imagesSet", "imageId"),
    ("", "InstanceId", "instancesSet", "instanceId"),
    ("", "IpPermissions", "ipPermissions", ""),
    ("", "IpRanges", "ipRanges", ""),
    ("", "Ipv6Addresses", "ipv6AddressesSet", "ipv6Address"),
    ("", "Ipv6Ranges", "ipv6Ranges", ""),
    ("", "KeyName", "keySet", "keyName"),
    ("", "NetworkInterface", "networkInterfaceSet", ""),
    ("", "Owner", "ownersSet", "owner"),
    ("", "PrefixListIds", "prefixListIds", ""),
    ("", "PrivateIpAddress", "privateIpAddressesSet", "privateIpAddress"),
    ("", "PrivateIpAddresses", "privateIpAddressesSet", "privateIpAddress"),
    ("", "PublicIp", "publicIpsSet", "publicIp"),
    ("", "RegionName", "regionSet", "regionName"),
    ("", "Remove", "remove", ""),
    ("", "ReservedInstancesId", "reservedInstancesSet", "reservedInstancesId"),
    ("", "ReservedInstancesOfferingId", "reservedInstancesOfferingsSet", "reservedInstancesOfferingId"),
    ("", "ResourceId", "resourcesSet", "resourceId"),
    ("", "RestorableBy", "sharedUsersSet", "user"),
    ("", "SecurityGroup", "groupSet", "groupName"),
    ("", "SecurityGroupId", "groupSet", "groupId"),
    ("", "SnapshotId", "snapshotSet", "snapshotId"),
    ("", "SubnetId", "subnetSet", "subnetId"),
    ("", "Value", "valueSet", "value"),
    ("", "VolumeId", "volumeSet", "volumeId"),
    ("", "VpcId", "vpcSet", "vpcId"),
    ("", "VpnConnectionId", "vpnConnectionSet", "vpnConnectionId"),
    ("", "VpnGatewayId", "vpnGatewaySet", "vpnGatewayId"),
    ("", "ZoneId", "availabilityZoneIdSet", "zoneId"),
    ("", "ZoneName", "availabilityZoneSet", "zoneName"),
];

/// How a single parameter is recorded under another name; the empty name drops it.
pub(crate) fn single(operation: &str, parameter: &str) -> Option<&'static str> {
    SINGLES.iter().find(|(own, name, _)| *own == operation && *name == parameter).map(|row| row.2)
}

static SINGLES: &[(&str, &str, &str)] = &[
    ("CreateVolume", "AvailabilityZone", "zone"),
    ("CreateNetworkAclEntry", "Icmp", "icmpTypeCode"),
    ("CreateNetworkAclEntry", "Protocol", "aclProtocol"),
    ("ReplaceNetworkAclEntry", "Icmp", "icmpTypeCode"),
    ("ReplaceNetworkAclEntry", "Protocol", "aclProtocol"),
    ("DescribeVpcAttribute", "Attribute", ""),
    ("DescribeImageAttribute", "Attribute", "attributeType"),
    ("DescribeSnapshotAttribute", "Attribute", "attributeType"),
    ("ModifyImageAttribute", "Attribute", "attributeType"),
    ("ModifyImageAttribute", "OperationType", ""),
    ("ModifySnapshotAttribute", "Attribute", "attributeType"),
    ("ModifySnapshotAttribute", "OperationType", ""),
    ("ResetImageAttribute", "Attribute", "attributeType"),
    ("ResetSnapshotAttribute", "Attribute", "attributeType"),
];

/// The old name of an attribute that snapshots' records spell as a constant.
pub(crate) fn attribute(operation: &str, value: &str) -> Option<&'static str> {
    match (operation.ends_with("SnapshotAttribute"), value) {
        (true, "createVolumePermission") => Some("CREATE_VOLUME_PERMISSION"),
        (true, "productCodes") => Some("PRODUCT_CODES"),
        _ => None,
    }
}

/// Numbers that records spell as text, in parameters and results.
pub(crate) fn is_text_number(operation: &str, name: &str) -> bool {
    matches!(name, "Size" | "size" | "volumeSize")
        || (operation == "CreateVolume" && matches!(name, "Iops" | "Throughput"))
}

/// Texts of the model that records spell as numbers, in results.
pub(crate) fn is_number(name: &str) -> bool {
    name == "bgpAsn"
}

/// Members that stand in the record although the caller did not send them: operation, name, JSON.
pub(crate) fn always(operation: &str) -> &'static [(&'static str, &'static str)] {
    let found = ALWAYS.binary_search_by(|(own, _)| (*own).cmp(operation)).ok().and_then(|at| ALWAYS.get(at));
    found.map_or(&[], |(_, members)| members)
}

type Defaults = &'static [(&'static str, &'static str)];

const RULES: Defaults = &[("ipPermissions", "{}")];

static ALWAYS: &[(&str, Defaults)] = &[
    ("AttachVolume", &[("deleteOnTermination", "false")]),
    ("AuthorizeSecurityGroupEgress", RULES),
    ("AuthorizeSecurityGroupIngress", RULES),
    ("CreateNetworkAclEntry", &[("icmpTypeCode", "{}"), ("portRange", "{}")]),
    ("CreateNetworkInterface", &[("groupSet", "{}"), ("privateIpAddressesSet", "{}")]),
    ("DeleteSnapshot", &[("force", "false")]),
    ("DeleteVolume", &[("reportVolumeFailure", "false")]),
    ("DescribeAccountAttributes", &[("accountAttributeNameSet", "{}"), ("filterSet", "{}")]),
    ("DescribeAddresses", &[("publicIpsSet", "{}"), ("filterSet", "{}"), ("allocationIdsSet", "{}")]),
    ("DescribeAvailabilityZones", &[("availabilityZoneSet", "{}"), ("availabilityZoneIdSet", "{}")]),
    ("DescribeBundleTasks", &[("bundlesSet", "{}")]),
    ("DescribeClassicLinkInstances", &[("instancesSet", "{}"), ("filterSet", "{}")]),
    ("DescribeConversionTasks", &[("conversionTaskIdSet", "{}")]),
    ("DescribeCustomerGateways", &[("customerGatewaySet", "{}"), ("filterSet", "{}")]),
    ("DescribeDhcpOptions", &[("dhcpOptionsSet", "{}"), ("filterSet", "{}")]),
    ("DescribeExportTasks", &[("exportTaskIdSet", "{}")]),
    ("DescribeImages", &[("executableBySet", "{}"), ("imagesSet", "{}"), ("ownersSet", "{}"), ("filterSet", "{}")]),
    ("DescribeInstanceStatus", &[("instancesSet", "{}"), ("filterSet", "{}"), ("includeAllInstances", "false")]),
    ("DescribeInstances", &[("instancesSet", "{}"), ("filterSet", "{}")]),
    ("DescribeInternetGateways", &[("internetGatewayIdSet", "{}"), ("filterSet", "{}")]),
    (
        "DescribeKeyPairs",
        &[("keySet", "{}"), ("filterSet", "{}"), ("keyPairIdSet", "{}"), ("includePublicKey", "false")],
    ),
    ("DescribeNetworkAcls", &[("networkAclIdSet", "{}"), ("filterSet", "{}")]),
    ("DescribeNetworkInterfaces", &[("networkInterfaceIdSet", "{}"), ("filterSet", "{}")]),
    ("DescribePlacementGroups", &[("placementGroupSet", "{}"), ("placementGroupIdSet", "{}"), ("filterSet", "{}")]),
    ("DescribeRegions", &[("regionSet", "{}")]),
    ("DescribeReservedInstances", &[("reservedInstancesSet", "{}"), ("filterSet", "{}")]),
    ("DescribeReservedInstancesModifications", &[("reservedInstancesModificationIdSet", "{}"), ("filterSet", "{}")]),
    ("DescribeReservedInstancesOfferings", &[("reservedInstancesOfferingsSet", "{}"), ("filterSet", "{}")]),
    ("DescribeRouteTables", &[("routeTableIdSet", "{}"), ("filterSet", "{}")]),
    ("DescribeSecurityGroups", &[("securityGroupSet", "{}"), ("securityGroupIdSet", "{}"), ("filterSet", "{}")]),
    ("DescribeSnapshots", &[("snapshotSet", "{}"), ("ownersSet", "{}"), ("sharedUsersSet", "{}"), ("filterSet", "{}")]),
    ("DescribeSpotInstanceRequests", &[("spotInstanceRequestIdSet", "{}"), ("filterSet", "{}")]),
    ("DescribeSpotPriceHistory", &[("instanceTypeSet", "{}"), ("productDescriptionSet", "{}"), ("filterSet", "{}")]),
    ("DescribeSubnets", &[("subnetSet", "{}"), ("filterSet", "{}")]),
    ("DescribeTags", &[("filterSet", "{}")]),
    ("DescribeVolumeStatus", &[("volumeSet", "{}"), ("filterSet", "{}")]),
    ("DescribeVolumes", &[("volumeSet", "{}"), ("filterSet", "{}")]),
    ("DescribeVpcClassicLink", &[("vpcSet", "{}"), ("filterSet", "{}")]),
    ("DescribeVpcPeeringConnections", &[("vpcPeeringConnectionIdSet", "{}"), ("filterSet", "{}")]),
    ("DescribeVpcs", &[("vpcSet", "{}"), ("filterSet", "{}")]),
    ("DescribeVpnConnections", &[("vpnConnectionSet", "{}"), ("filterSet", "{}")]),
    ("DescribeVpnGateways", &[("vpnGatewaySet", "{}"), ("filterSet", "{}")]),
    ("IpPermissions", &[("groups", "{}"), ("ipRanges", "{}"), ("ipv6Ranges", "{}"), ("prefixListIds", "{}")]),
    ("ReplaceNetworkAclEntry", &[("icmpTypeCode", "{}"), ("portRange", "{}")]),
    ("RevokeSecurityGroupEgress", RULES),
    ("RevokeSecurityGroupIngress", RULES),
    (
        "RunInstances",
        &[
            ("blockDeviceMapping", "{}"),
            ("monitoring", "{\"enabled\":false}"),
            ("disableApiTermination", "false"),
            ("disableApiStop", "false"),
        ],
    ),
    ("StopInstances", &[("force", "false")]),
];

/// What wraps the elements of a list: the youngest of the old operations, and private addresses, say `item`.
pub(crate) fn wrapper(operation: &str, name: &str, of_request: bool) -> &'static str {
    let young = operation.contains("ClassicLink") && name != "filterSet";
    let addresses = !of_request && name == "privateIpAddressesSet";
    if young || addresses { "item" } else { "items" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_and_name_real_operations() {
        assert!(OLD.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ALWAYS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let catalog = aws::Catalog::embedded();
        let ec2 = catalog.service(catalog.by_name("ec2").unwrap().id()).unwrap();
        let gone = OLD.iter().filter(|name| ec2.operation(name).is_none()).count();
        assert_eq!(gone, 0, "operations that the model no longer has");
        for (operation, _) in ALWAYS.iter().filter(|(name, _)| *name != "IpPermissions") {
            assert!(is_old(operation), "{operation}");
        }
    }

    #[test]
    fn the_switch_between_the_styles_is_the_last_soap_version() {
        assert!(is_old("RunInstances") && is_old("DescribeVpcClassicLink") && is_old("CreateTags"));
        assert!(!is_old("CreateFlowLogs") && !is_old("DescribeVpcEndpoints") && !is_old("CreateNatGateway"));
    }
}
