"""Second opinions: tokens of NVIDIA's and Microsoft's services, checked with given key sets."""
