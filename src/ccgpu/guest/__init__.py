"""The inside of the VM: its first-boot configuration, the channel to it, and its reports."""
