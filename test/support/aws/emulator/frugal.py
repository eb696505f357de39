"""What moto does anew for every request or key though it never changes, and half of its time went into."""

import functools
import logging

from moto import backends
from moto.core import utils
from moto.kms import models as kms

# It looked through its own folders for each request.
_MODULES = frozenset(backends.list_of_moto_modules())
backends.list_of_moto_modules = lambda: _MODULES
# And through those of botocore for each service.
utils.create_loader = functools.cache(utils.create_loader)
# Nothing of ours signs with a key, but each database has one.
kms.generate_private_key = functools.cache(kms.generate_private_key)
# A line for each request, which nobody reads.
logging.getLogger("werkzeug").setLevel(logging.ERROR)
