"""Networks: kept, shown and checked for what they refer to. No packet passes through them on one machine."""

from collections.abc import Callable

from local_stage.cloudformation.resources import Made, Request, ResourceError, ResourceType, attempt, confirm
from local_stage.cloudformation.template import Json

_GONE = (
    "InvalidVpcID.NotFound",
    "InvalidSubnetID.NotFound",
    "InvalidRouteTableID.NotFound",
    "InvalidGroup.NotFound",
    "InvalidAssociationID.NotFound",
    "InvalidVpcEndpointId.NotFound",
    "InvalidFlowLogId.NotFound",
    "InvalidLaunchTemplateId.NotFound",
)


def _tags(request: Request, kind: str) -> dict[str, Json]:
    tags = request.properties.get("Tags")
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


def _create_vpc(request: Request) -> Made:
    asked = request.take("CidrBlock", "InstanceTenancy")
    vpc = request.call("ec2", "CreateVpc", **asked, **_tags(request, "vpc"))["Vpc"]["VpcId"]
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        if name in request.properties:
            request.call("ec2", "ModifyVpcAttribute", VpcId=vpc, **{name: {"Value": request.properties[name]}})
            attribute = request.call("ec2", "DescribeVpcAttribute", VpcId=vpc, Attribute=name[0].lower() + name[1:])
            confirm(request.properties[name], attribute[name]["Value"], f"{vpc}.{name}")
    found = request.call("ec2", "DescribeVpcs", VpcIds=[vpc])["Vpcs"][0]
    confirm({**asked, **request.take("Tags")}, found, vpc)
    groups = request.call("ec2", "DescribeSecurityGroups", Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    default = next(group["GroupId"] for group in groups["SecurityGroups"] if group["GroupName"] == "default")
    blocks = [item["AssociationId"] for item in found.get("CidrBlockAssociationSet", [])]
    return Made(
        vpc,
        {
            "VpcId": vpc,
            "CidrBlock": found["CidrBlock"],
            "DefaultSecurityGroup": default,
            "CidrBlockAssociations": blocks,
            "Ipv6CidrBlocks": [],
        },
    )


def _create_subnet(request: Request) -> Made:
    asked = request.take("VpcId", "CidrBlock", "AvailabilityZone")
    subnet = request.call("ec2", "CreateSubnet", **asked, **_tags(request, "subnet"))["Subnet"]["SubnetId"]
    public = request.take("MapPublicIpOnLaunch")
    if public:
        value = {"Value": public["MapPublicIpOnLaunch"]}
        request.call("ec2", "ModifySubnetAttribute", SubnetId=subnet, MapPublicIpOnLaunch=value)
    found = request.call("ec2", "DescribeSubnets", SubnetIds=[subnet])["Subnets"][0]
    confirm({**asked, **public, **request.take("Tags")}, found, subnet)
    attributes = {name: found[name] for name in ("AvailabilityZone", "CidrBlock", "VpcId")}
    return Made(subnet, {**attributes, "SubnetId": subnet})


def _create_route_table(request: Request) -> Made:
    asked = request.take("VpcId")
    table = request.call("ec2", "CreateRouteTable", **asked, **_tags(request, "route-table"))
    identity = table["RouteTable"]["RouteTableId"]
    found = request.call("ec2", "DescribeRouteTables", RouteTableIds=[identity])["RouteTables"][0]
    confirm({**asked, **request.take("Tags")}, found, identity)
    return Made(identity, {"RouteTableId": identity})


def _associate_route_table(request: Request) -> Made:
    asked = request.take("RouteTableId", "SubnetId")
    identity = request.call("ec2", "AssociateRouteTable", **asked)["AssociationId"]
    found = request.call("ec2", "DescribeRouteTables", RouteTableIds=[asked["RouteTableId"]])["RouteTables"][0]
    if asked["SubnetId"] not in {item.get("SubnetId") for item in found["Associations"]}:
        raise ResourceError(f"{asked['SubnetId']} does not use {asked['RouteTableId']} after creation")
    return Made(identity, {"Id": identity})


def _create_security_group(request: Request) -> Made:
    name = request.name("GroupName", longest=255)
    asked = request.take("VpcId")
    group = request.call(
        "ec2",
        "CreateSecurityGroup",
        GroupName=name,
        Description=request.properties["GroupDescription"],
        **asked,
        **_tags(request, "security-group"),
    )["GroupId"]
    if "SecurityGroupEgress" in request.properties:
        everywhere = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        request.call("ec2", "RevokeSecurityGroupEgress", GroupId=group, IpPermissions=everywhere)
    for rule in request.properties.get("SecurityGroupIngress", []):
        _add_rule(request, group, rule, inward=True)
    for rule in request.properties.get("SecurityGroupEgress", []):
        _add_rule(request, group, rule, inward=False)
    return Made(group, {"GroupId": group, "Id": group, "GroupName": name, "VpcId": asked.get("VpcId", "")})


def _create_rule(*, inward: bool) -> Callable[[Request], Made]:
    def create(request: Request) -> Made:
        rule = {name: value for name, value in request.properties.items() if name != "GroupId"}
        _add_rule(request, request.properties["GroupId"], rule, inward=inward)
        return Made(f"sgr-{request.logical_id}", {"Id": f"sgr-{request.logical_id}"})

    return create


def _delete_rule(*, inward: bool) -> Callable[[Request, Made], None]:
    def delete(request: Request, made: Made) -> None:
        del made
        rule = {name: value for name, value in request.properties.items() if name != "GroupId"}
        operation = "RevokeSecurityGroupIngress" if inward else "RevokeSecurityGroupEgress"
        attempt(
            lambda: request.call(
                "ec2", operation, GroupId=request.properties["GroupId"], IpPermissions=[_permission(rule)]
            ),
            "InvalidPermission.NotFound",
            *_GONE,
        )

    return delete


def _add_rule(request: Request, group: str, rule: Json, *, inward: bool) -> None:
    permission = _permission(rule)
    operation = "AuthorizeSecurityGroupIngress" if inward else "AuthorizeSecurityGroupEgress"
    attempt(
        lambda: request.call("ec2", operation, GroupId=group, IpPermissions=[permission]),
        "InvalidPermission.Duplicate",  # the default "everything out" is there already
    )
    found = request.call("ec2", "DescribeSecurityGroups", GroupIds=[group])["SecurityGroups"][0]
    kept = found["IpPermissions" if inward else "IpPermissionsEgress"]
    confirm([permission], kept, f"{group}.{'ingress' if inward else 'egress'}")


def _permission(rule: Json) -> dict[str, Json]:
    rule = dict(rule)
    described = {"Description": rule.pop("Description")} if "Description" in rule else {}
    made: dict[str, Json] = {"IpProtocol": str(rule.pop("IpProtocol"))}
    for port in ("FromPort", "ToPort"):
        if port in rule:
            made[port] = int(rule.pop(port))
    if made["IpProtocol"] == "-1":
        made = {"IpProtocol": "-1"}
    if "CidrIp" in rule:
        made["IpRanges"] = [{"CidrIp": rule.pop("CidrIp"), **described}]
    if "CidrIpv6" in rule:
        made["Ipv6Ranges"] = [{"CidrIpv6": rule.pop("CidrIpv6"), **described}]
    for name in ("SourceSecurityGroupId", "DestinationSecurityGroupId"):
        if name in rule:
            made["UserIdGroupPairs"] = [{"GroupId": rule.pop(name), **described}]
    for name in ("SourcePrefixListId", "DestinationPrefixListId"):
        if name in rule:
            made["PrefixListIds"] = [{"PrefixListId": rule.pop(name), **described}]
    if rule:
        raise ResourceError(f"security group rule: not handled here: {', '.join(rule)}")
    return made


def _create_endpoint(request: Request) -> Made:
    asked = request.take("VpcId", "ServiceName", "VpcEndpointType", "RouteTableIds", "SubnetIds", "PrivateDnsEnabled")
    extra = request.take("SecurityGroupIds", "PolicyDocument")
    made = request.call("ec2", "CreateVpcEndpoint", **asked, **extra, **_tags(request, "vpc-endpoint"))
    endpoint = made["VpcEndpoint"]
    found = request.call("ec2", "DescribeVpcEndpoints", VpcEndpointIds=[endpoint["VpcEndpointId"]])["VpcEndpoints"][0]
    confirm({**asked, **request.take("PolicyDocument", "Tags")}, found, f"endpoint {asked['ServiceName']}")
    if "SecurityGroupIds" in extra:
        groups = [group["GroupId"] for group in found.get("Groups", [])]
        confirm(extra["SecurityGroupIds"], groups, f"endpoint {asked['ServiceName']}.SecurityGroupIds")
    return Made(endpoint["VpcEndpointId"], {"Id": endpoint["VpcEndpointId"]})


def _create_flow_log(request: Request) -> Made:
    asked = request.take("TrafficType", "LogDestinationType", "LogGroupName", "DeliverLogsPermissionArn")
    extra = request.take("LogDestination", "MaxAggregationInterval", "LogFormat")
    answer = request.call(
        "ec2",
        "CreateFlowLogs",
        ResourceIds=[request.properties["ResourceId"]],
        ResourceType=request.properties["ResourceType"],
        **asked,
        **extra,
        **_tags(request, "vpc-flow-log"),
    )
    if answer.get("Unsuccessful"):
        raise ResourceError(f"flow log {request.logical_id}: {answer['Unsuccessful'][0]['Error']['Message']}")
    identity = answer["FlowLogIds"][0]
    found = request.call("ec2", "DescribeFlowLogs", FlowLogIds=[identity])["FlowLogs"][0]
    confirm({**asked, **request.take("ResourceId", "Tags")}, found, f"flow log {identity}")
    return Made(identity, {"Id": identity})


def _create_launch_template(request: Request) -> Made:
    name = request.name("LaunchTemplateName", longest=128)
    data = request.properties["LaunchTemplateData"]
    made = request.call(
        "ec2",
        "CreateLaunchTemplate",
        LaunchTemplateName=name,
        LaunchTemplateData=data,
        **request.take("TagSpecifications"),
    )["LaunchTemplate"]
    identity = made["LaunchTemplateId"]
    versions = request.call("ec2", "DescribeLaunchTemplateVersions", LaunchTemplateId=identity)
    confirm(data, versions["LaunchTemplateVersions"][0]["LaunchTemplateData"], f"launch template {name}")
    version = str(made["LatestVersionNumber"])
    attributes = {"LaunchTemplateId": identity, "LatestVersionNumber": version, "DefaultVersionNumber": version}
    return Made(identity, attributes)


def _type(
    name: str,
    create: Callable[[Request], Made],
    acted: set[str],
    *,
    delete: tuple[str, str],
    look: tuple[str, str] | None,
) -> ResourceType:
    operation, argument = delete

    def remove(request: Request, made: Made) -> None:
        attempt(lambda: request.call("ec2", operation, **{argument: made.physical_id}), *_GONE)

    def see(request: Request, made: Made) -> object:
        return None if look is None else request.call("ec2", look[0], **{look[1]: [made.physical_id]})

    return ResourceType(f"AWS::EC2::{name}", create, remove, frozenset(acted), look=see)


_RULE = {"GroupId", "IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6", "Description"}

TYPES = [
    _type(
        "VPC",
        _create_vpc,
        {"CidrBlock", "InstanceTenancy", "EnableDnsSupport", "EnableDnsHostnames", "Tags"},
        delete=("DeleteVpc", "VpcId"),
        look=("DescribeVpcs", "VpcIds"),
    ),
    _type(
        "Subnet",
        _create_subnet,
        {"VpcId", "CidrBlock", "AvailabilityZone", "MapPublicIpOnLaunch", "Tags"},
        delete=("DeleteSubnet", "SubnetId"),
        look=("DescribeSubnets", "SubnetIds"),
    ),
    _type(
        "RouteTable",
        _create_route_table,
        {"VpcId", "Tags"},
        delete=("DeleteRouteTable", "RouteTableId"),
        look=("DescribeRouteTables", "RouteTableIds"),
    ),
    _type(
        "SubnetRouteTableAssociation",
        _associate_route_table,
        {"RouteTableId", "SubnetId"},
        delete=("DisassociateRouteTable", "AssociationId"),
        look=None,
    ),
    _type(
        "SecurityGroup",
        _create_security_group,
        {"GroupName", "GroupDescription", "VpcId", "SecurityGroupIngress", "SecurityGroupEgress", "Tags"},
        delete=("DeleteSecurityGroup", "GroupId"),
        look=("DescribeSecurityGroups", "GroupIds"),
    ),
    ResourceType(
        "AWS::EC2::SecurityGroupIngress",
        _create_rule(inward=True),
        _delete_rule(inward=True),
        frozenset(_RULE | {"SourceSecurityGroupId", "SourcePrefixListId"}),
    ),
    ResourceType(
        "AWS::EC2::SecurityGroupEgress",
        _create_rule(inward=False),
        _delete_rule(inward=False),
        frozenset(_RULE | {"DestinationSecurityGroupId", "DestinationPrefixListId"}),
    ),
    _type(
        "VPCEndpoint",
        _create_endpoint,
        {"VpcId", "ServiceName", "VpcEndpointType", "RouteTableIds", "SubnetIds", "SecurityGroupIds"}
        | {"PrivateDnsEnabled", "PolicyDocument", "Tags"},
        delete=("DeleteVpcEndpoints", "VpcEndpointIds"),
        look=("DescribeVpcEndpoints", "VpcEndpointIds"),
    ),
    _type(
        "FlowLog",
        _create_flow_log,
        {"ResourceId", "ResourceType", "TrafficType", "LogDestinationType", "LogGroupName", "DeliverLogsPermissionArn"}
        | {"LogDestination", "MaxAggregationInterval", "LogFormat", "Tags"},
        delete=("DeleteFlowLogs", "FlowLogIds"),
        look=("DescribeFlowLogs", "FlowLogIds"),
    ),
    _type(
        "LaunchTemplate",
        _create_launch_template,
        {"LaunchTemplateName", "LaunchTemplateData", "TagSpecifications"},
        delete=("DeleteLaunchTemplate", "LaunchTemplateId"),
        look=("DescribeLaunchTemplates", "LaunchTemplateIds"),
    ),
]
