"""An authenticator as a person holds it: codes that are still taken when they arrive, on a slow machine too."""

import math
import time

from local_stage.cognito.totp import STEP_S, code_at

_ARRIVES_WITHIN_S = 20


class Authenticator:
    """Gives each code once. The server takes the codes of the last step, of this and of the next one."""

    def __init__(self, secret: str) -> None:
        self._secret, self._step = secret, -1

    def code(self) -> str:
        """Return the earliest code not given yet that is taken for a while; waits where that is still too far off."""
        lasting = math.ceil((time.time() + _ARRIVES_WITHIN_S) / STEP_S) - 2
        self._step = max(self._step + 1, lasting)
        time.sleep(max(0.0, (self._step - 1) * STEP_S - time.time()))
        return code_at(self._secret, self._step)
