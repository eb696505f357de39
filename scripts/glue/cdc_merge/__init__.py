"""The half of a merge that is no engine's: what is pending, the plan, the ledger and the lease, as src/core/merge has them.

FORMAT.md beside src/core/{change-file,merge,store} states the bytes; both engines read and write the same ones, so batches
of the two alternate on one table. Standard library only; boto3 is imported where a location is s3://.
"""
