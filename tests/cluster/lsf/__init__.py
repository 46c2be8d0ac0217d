"""A stand-in for IBM Spectrum LSF 10.1: its commands, jobs as real processes, faults on demand.

A `Cluster` is a directory; several live side by side. `Cluster.create` writes bsub, bjobs, bkill,
bhist, bqueues, badmin and lsclusters into its `bin`. Options, refusals and states follow IBM's
reference. There is no daemon: every accepted job gets a supervisor process of its own, which waits
for a host, runs the job in a session of its own and plays the faults that a test has ordered.
"""
