"""What a rule of a Choice assigns to variables.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html (Assign in a Choice rule)
"""

from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.asl.component.common.assign.assign_decl import AssignDecl
from moto.stepfunctions.parser.asl.component.state.choice.choice_rule import ChoiceRule
from moto.stepfunctions.parser.asl.eval.environment import Environment


def keep_assign(original: Callable[[Any, Any], ChoiceRule]) -> Callable[[Any, Any], ChoiceRule]:
    """Stand in for Preprocessor.visitChoice_rule_comparison_variable, which drops what a rule of JSONPath assigns."""

    def visit(self: Any, ctx: Any) -> ChoiceRule:
        rule = original(self, ctx)
        if rule.assign is not None:
            return rule
        parts = [self.visit(child) for child in ctx.children]
        assign = next((part for part in parts if isinstance(part, AssignDecl)), None)
        return ChoiceRule(rule.comparison, rule.next_stmt, rule.comment, assign, rule.output)

    return visit


def eval_choice_rule(self: ChoiceRule, env: Environment) -> None:
    """Stand in for ChoiceRule._eval_body, which reads the paths of Assign in the rule's answer, not in the input."""
    if self.comparison is None:
        raise ValueError("a rule of a Choice compares something")
    self.comparison.eval(env)
    is_met = env.stack.pop()
    if is_met and self.assign:
        self.assign.eval(env=env)
    env.stack.append(is_met)
    if is_met and self.output:
        self.output.eval(env=env)
