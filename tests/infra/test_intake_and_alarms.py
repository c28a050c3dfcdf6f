"""ING-03 and OPS-03 in the templates: what hears of landed files, and who hears of trouble."""

import json


def test_ing_03_every_object_under_submissions_reaches_the_intake_queue(assembly):
    (rule,) = [
        properties for properties in assembly.properties("AWS::Events::Rule", "intake") if "EventPattern" in properties
    ]

    assert rule["EventPattern"]["source"] == ["aws.s3"]
    assert rule["EventPattern"]["detail-type"] == ["Object Created"]
    assert rule["EventPattern"]["detail"]["object"] == {"key": [{"prefix": "submissions/"}]}
    assert rule["EventPattern"]["detail"]["bucket"]["name"] == [
        next(
            properties["BucketName"]
            for properties in assembly.properties("AWS::S3::Bucket")
            if "-landing-" in properties["BucketName"]
        )
    ]


def test_ing_03_a_message_that_fails_for_a_quarter_of_an_hour_is_kept_for_a_person(assembly):
    queues = assembly.properties("AWS::SQS::Queue", "intake")
    (intake,) = [queue for queue in queues if "RedrivePolicy" in queue]
    (dead,) = [queue for queue in queues if "RedrivePolicy" not in queue]

    assert intake["RedrivePolicy"]["maxReceiveCount"] == 12
    assert intake["MessageRetentionPeriod"] == dead["MessageRetentionPeriod"] == 14 * 86_400


def test_ing_03_a_message_is_hidden_six_times_as_long_as_its_function_may_run(assembly):
    (intake,) = [queue for queue in assembly.properties("AWS::SQS::Queue", "intake") if "RedrivePolicy" in queue]
    (function,) = [
        properties
        for properties in assembly.properties("AWS::Lambda::Function", "intake")
        if properties["FunctionName"].endswith("register-object")
    ]
    (mapping,) = assembly.properties("AWS::Lambda::EventSourceMapping")

    assert intake["VisibilityTimeout"] == 6 * function["Timeout"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == 10


def test_only_the_rule_may_put_events_into_the_intake_queue(assembly):
    allowed = [
        statement
        for policy in assembly.properties("AWS::SQS::QueuePolicy", "intake")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]

    assert [(statement["Principal"], list(statement["Condition"])) for statement in allowed] == [
        ({"Service": "events.amazonaws.com"}, ["ArnEquals"])
    ]


def test_every_queue_and_topic_is_encrypted_and_refuses_plain_http(assembly):
    for queue in assembly.properties("AWS::SQS::Queue"):
        assert "KmsMasterKeyId" in queue
    for topic in assembly.properties("AWS::SNS::Topic"):
        assert "KmsMasterKeyId" in topic
    policies = [*assembly.properties("AWS::SQS::QueuePolicy"), *assembly.properties("AWS::SNS::TopicPolicy")]
    assert len(policies) == 4
    for policy in policies:
        denied = [item for item in policy["PolicyDocument"]["Statement"] if item["Effect"] == "Deny"]
        assert {"Bool": {"aws:SecureTransport": "false"}} in [item["Condition"] for item in denied]


def test_ops_03_every_alarm_tells_the_alerts_topic_what_to_do(assembly):
    alarms = assembly.properties("AWS::CloudWatch::Alarm")

    assert alarms
    for alarm in alarms:
        assert len(alarm["AlarmActions"]) == 1
        assert "Alerts" in json.dumps(alarm["AlarmActions"])
        assert len(alarm["AlarmDescription"]) > 20


def test_ops_03_every_function_dead_letter_queue_and_workflow_is_watched(assembly):
    watched = [(alarm["Namespace"], alarm["MetricName"]) for alarm in assembly.properties("AWS::CloudWatch::Alarm")]

    assert watched.count(("AWS/Lambda", "Errors")) == len(assembly.resources("AWS::Lambda::Function"))
    assert watched.count(("AWS/SQS", "ApproximateNumberOfMessagesVisible")) == 2
    assert {("AWS/SQS", "ApproximateAgeOfOldestMessage"), ("AWS/States", "ExecutionsFailed")} < set(watched)
    assert {("Strandline", "SubmissionsQuarantined"), ("Strandline", "SubmissionsExpired")} < set(watched)


def test_tru_02_entries_of_the_audit_log_that_wait_for_ten_minutes_or_silence_of_what_seals_them_are_told(assembly):
    alarms = assembly.properties("AWS::CloudWatch::Alarm")
    (alarm,) = (one for one in alarms if one["MetricName"] == "OldestAuditEntryWaited")

    assert (alarm["Namespace"], alarm["Dimensions"]) == ("Strandline", [{"Name": "service", "Value": "seal_audit_log"}])
    assert (alarm["Threshold"], alarm["Statistic"], alarm["Period"]) == (600, "Maximum", 300)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "breaching"
    (sealing,) = (
        function["Environment"]["Variables"]
        for function in assembly.properties("AWS::Lambda::Function")
        if function["FunctionName"].endswith("seal-audit-log")
    )
    assert sealing["POWERTOOLS_SERVICE_NAME"] == "seal_audit_log"
    assert sealing["POWERTOOLS_METRICS_NAMESPACE"] == "Strandline"


def test_ops_03_a_failed_job_is_told_though_batch_has_no_metric_for_it(assembly):
    (rule,) = assembly.properties("AWS::Events::Rule", "alarms")

    assert rule["EventPattern"]["detail"]["status"] == ["FAILED"]
    assert len(rule["EventPattern"]["detail"]["jobQueue"]) == 2


def test_functions_of_prod_have_a_share_of_the_accounts_concurrency_of_their_own(assembly):
    reserved = {
        properties.get("ReservedConcurrentExecutions") for properties in assembly.properties("AWS::Lambda::Function")
    }

    assert reserved == ({50} if assembly.stage == "prod" else {None})


def test_the_cpu_queue_tries_spot_before_on_demand_and_the_gpu_queue_stands_beside_it(assembly):
    environments = assembly.resources("AWS::Batch::ComputeEnvironment")
    queues = {
        properties["JobQueueName"].rpartition("-")[2]: [
            environments[item["ComputeEnvironment"]["Ref"]]["Properties"]["ComputeResources"]["Type"]
            for item in sorted(properties["ComputeEnvironmentOrder"], key=lambda item: item["Order"])
        ]
        for properties in assembly.properties("AWS::Batch::JobQueue")
    }

    assert queues == {"cpu": ["SPOT", "EC2"], "steady": ["EC2"], "gpu": ["EC2"]}


def test_every_job_fits_the_machines_of_its_stage_even_with_twice_the_memory(assembly):
    """OPS-06: Batch lets a job that asks for more than its pool has wait for ever.

    Vcpus and memory of the largest machine of each class: EC2 user guide, instance types c6i, m6i, m7i, r6i, r7i, g5.
    """
    pools = {
        properties["ComputeEnvironmentName"].rpartition("-")[2]: properties["ComputeResources"]["MaxvCpus"]
        for properties in assembly.properties("AWS::Batch::ComputeEnvironment")
    }
    for properties in assembly.properties("AWS::Batch::JobDefinition"):
        needs = {need["Type"]: int(need["Value"]) for need in properties["ContainerProperties"]["ResourceRequirements"]}
        on_gpu = "GPU" in needs
        assert needs["VCPU"] <= pools["gpu" if on_gpu else "demand"], properties["JobDefinitionName"]
        assert 2 * needs["MEMORY"] <= (384 if on_gpu else 1024) * 1024
