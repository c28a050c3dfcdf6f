"""SEC-03: private subnets, endpoints, no public address."""

PUBLIC = {
    *("AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::EC2::EgressOnlyInternetGateway"),
    *("AWS::EC2::VPCGatewayAttachment", "AWS::EC2::Route"),
}


def test_sec_03_there_is_no_way_to_the_internet(assembly):
    types = {resource["Type"] for resource in assembly.template("network")["Resources"].values()}

    assert not types & PUBLIC
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in assembly.properties("AWS::EC2::Subnet"))


def test_sec_03_functions_and_machines_stand_in_the_private_subnets(assembly):
    for function in assembly.properties("AWS::Lambda::Function"):
        assert len(function["VpcConfig"]["SubnetIds"]) >= 2
        assert len(function["VpcConfig"]["SecurityGroupIds"]) == 1
    for environment in assembly.properties("AWS::Batch::ComputeEnvironment"):
        assert len(environment["ComputeResources"]["Subnets"]) >= 2


def test_sec_03_no_security_group_lets_the_world_in(assembly):
    for group in assembly.properties("AWS::EC2::SecurityGroup"):
        assert [rule for rule in group.get("SecurityGroupIngress", []) if rule["CidrIp"] == "0.0.0.0/0"] == []
        assert {rule["FromPort"] for rule in group.get("SecurityGroupIngress", [])} <= {443}


def test_sec_03_s3_and_dynamodb_are_reached_by_gateway_endpoints(assembly):
    gateways = [
        str(endpoint["ServiceName"])
        for endpoint in assembly.properties("AWS::EC2::VPCEndpoint")
        if endpoint.get("VpcEndpointType") == "Gateway"
    ]

    assert len(gateways) == 2
    assert any("s3" in name for name in gateways)
    assert any("dynamodb" in name for name in gateways)


def test_sec_03_no_data_leaves_for_another_accounts_bucket_or_table(assembly):
    account = assembly.manifest["artifacts"]["network"]["environment"].split("/")[2]
    gateways = [
        endpoint["PolicyDocument"]["Statement"]
        for endpoint in assembly.properties("AWS::EC2::VPCEndpoint")
        if endpoint.get("VpcEndpointType") == "Gateway"
    ]

    assert len(gateways) == 2
    for statements in gateways:
        for statement in statements:
            own = statement.get("Condition") == {"StringEquals": {"aws:ResourceAccount": account}}
            assert own or (statement["Action"], "starport-layer-bucket" in statement["Resource"]) == (
                "s3:GetObject",
                True,
            )


def test_nothing_is_placed_in_the_default_security_group(assembly):
    text = str(assembly.templates)

    assert "DefaultSecurityGroup" not in text


def test_scratch_volumes_are_encrypted_and_metadata_is_out_of_a_containers_reach(assembly):
    (template,) = assembly.properties("AWS::EC2::LaunchTemplate")
    data = template["LaunchTemplateData"]

    assert all(device["Ebs"]["Encrypted"] for device in data["BlockDeviceMappings"])
    assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
