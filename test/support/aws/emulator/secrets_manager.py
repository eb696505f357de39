"""Secrets Manager: the name of a secret that is scheduled for deletion is blocked, and that of one deleted without recovery
for a while, where a test says so."""

from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import SecretsManagerBackend

from common import TOLD, replaces


def blocked_of(backend):
    """How often each name of a deleted secret is still refused."""
    if not hasattr(backend, "blocked_names"):
        backend.blocked_names = {}
    return backend.blocked_names


@replaces(SecretsManagerBackend, "delete_secret")
def delete_secret(original, self, secret_id, recovery_window_in_days, force_delete_without_recovery):
    arn, name, date = original(self, secret_id, recovery_window_in_days, force_delete_without_recovery)
    if force_delete_without_recovery and TOLD["secret_refusals"] > 0:
        blocked_of(self)[name] = TOLD["secret_refusals"]
    return arn, name, date


@replaces(SecretsManagerBackend, "create_secret")
def create_secret(original, self, name, *rest, **named):
    if blocked_of(self).get(name, 0) > 0:
        blocked_of(self)[name] -= 1
        refuse()
    if name in self.secrets and self.secrets[name].is_deleted():
        refuse()
    return original(self, name, *rest, **named)


def refuse():
    raise InvalidRequestException(
        "You can't create this secret because a secret with this name is already scheduled for deletion."
    )
