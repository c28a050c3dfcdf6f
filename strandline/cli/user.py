"""`strandline user`: the people who sign, made by an administrator, each with an authenticator of their own."""

import sys
from typing import Annotated
from urllib.parse import quote

import typer

from strandline.cli.console import say
from strandline.cli.ground import LOCAL, StageOption, connect
from strandline.cli.signing_in import NEW_PASSWORD_VARIABLE, ask_code, ask_password
from strandline.errors import RejectedInputError
from strandline.trust.people import people

app = typer.Typer(
    help="The people of a stage.\n\nExample: strandline user add ada --name 'Dr Ada Example' --group author",
    no_args_is_help=True,
    rich_markup_mode=None,
)
UserArgument = Annotated[str, typer.Argument(help="What the person signs in with.")]


@app.command()
def add(
    user: UserArgument,
    name: Annotated[str, typer.Option("--name", help="The person's name as it is printed beside signatures.")],
    group: Annotated[list[str], typer.Option("--group", help="A group; again for more of them.")],
    stage: StageOption = LOCAL,
) -> None:
    """Make a user, and print the password for the first sign-in: hand it over in person.

    Example: strandline user add ada --name "Dr Ada Example" --group author
    """
    if unknown := set(group) - set(people().groups):
        raise RejectedInputError("group_unknown", f"{sorted(unknown)}: there are {', '.join(people().groups)}")
    if not name.strip() or not name.isprintable():
        raise RejectedInputError("name_invalid", "a signature is printed with a name: give one in --name")
    deployment = connect(stage)
    password = deployment.user_admin.add(user, name.strip(), group)
    deployment.note_change(f"user/{user}", f"Made a member of {', '.join(group)}")
    sys.stdout.write(f"{password}\n")
    say(f"{user} signs in for the first time with that password: 'strandline user enrol {user}'")


@app.command()
def enrol(user: UserArgument, stage: StageOption = LOCAL) -> None:
    """Change the first password and set up an authenticator, by the person themselves.

    Example: strandline user enrol ada
    """
    admin = connect(stage).user_admin
    enrolment = admin.begin_enrolment(user, ask_password("First password"), _new_password())
    label = quote(f"Strandline {stage}:{user}")
    sys.stdout.write(f"otpauth://totp/{label}?secret={enrolment.secret}&issuer=Strandline\n")
    sys.stdout.flush()
    say("Take this into your authenticator, then type the code that it shows.")
    admin.finish_enrolment(user, enrolment, ask_code())
    say(f"{user} is enrolled; the next signature takes a later code")


@app.command()
def disable(user: UserArgument, stage: StageOption = LOCAL) -> None:
    """Let a user sign in no more. What they have signed stays theirs, and their name is never given again.

    Example: strandline user disable ada
    """
    deployment = connect(stage)
    deployment.user_admin.disable(user)
    deployment.note_change(f"user/{user}", "Disabled")
    say(f"{user} can sign in no more")


def _new_password() -> str:
    return ask_password("New password (14 characters or more)", NEW_PASSWORD_VARIABLE)
