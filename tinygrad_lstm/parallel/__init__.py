"""Past one machine: a shard of the batch is one more branch of the fork that each parameter is."""
