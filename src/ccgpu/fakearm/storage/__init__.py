"""The page blobs behind managed disks: what a client with a shared access signature can do."""
