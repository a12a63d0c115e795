# The deployment demo, rendered by ccgpu VERSION.
# It belongs into the resource group ccgpu-demo of the subscription 00000000-0000-4000-8000-000000000001.
# Made with the simulated subscription: Azure has no such image.

terraform {
  required_version = ">= 1.4"

  required_providers {
    azapi = {
      source  = "Azure/azapi"
      version = "~> 2.0"
    }
  }
}

# The times of the tags are those of the first apply. To make a deployment anew that was deleted:
# terraform apply -replace=terraform_data.lease
resource "terraform_data" "lease" {
  input = {
    created = timestamp()
    expires = timeadd(timestamp(), "480m")
  }

  lifecycle {
    ignore_changes = [input]
  }
}

resource "azapi_resource" "group" {
  type                      = "Microsoft.Resources/resourceGroups@2025-04-01"
  parent_id                 = "/subscriptions/00000000-0000-4000-8000-000000000001"
  name                      = "ccgpu-demo"
  schema_validation_enabled = false
  body = {
    location = "eastus2"
    tags = {
      "ccgpu-deployment" = "demo"
      "ccgpu-run"        = "rendered"
      "ccgpu-created"    = terraform_data.lease.output.created
      "ccgpu-expires"    = terraform_data.lease.output.expires
    }
  }

  lifecycle {
    ignore_changes = [body.tags["ccgpu-expires"]]
  }
}

resource "azapi_resource" "nsg" {
  type                      = "Microsoft.Network/networkSecurityGroups@2026-03-01"
  parent_id                 = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/ccgpu-demo"
  name                      = "demo-nsg"
  schema_validation_enabled = false
  body = {
    location = "eastus2"
    tags = {
      "ccgpu-deployment" = "demo"
      "ccgpu-run"        = "rendered"
      "ccgpu-created"    = terraform_data.lease.output.created
      "ccgpu-expires"    = terraform_data.lease.output.expires
    }
    properties = {
      securityRules = [
        {
          name = "ssh"
          properties = {
            priority                 = 1000
            direction                = "Inbound"
            access                   = "Allow"
            protocol                 = "Tcp"
            sourceAddressPrefix      = "203.0.113.7/32"
            sourcePortRange          = "*"
            destinationAddressPrefix = "*"
            destinationPortRange     = "22"
          }
        },
        {
          name = "deny-inbound"
          properties = {
            priority                 = 4096
            direction                = "Inbound"
            access                   = "Deny"
            protocol                 = "*"
            sourceAddressPrefix      = "*"
            sourcePortRange          = "*"
            destinationAddressPrefix = "*"
            destinationPortRange     = "*"
          }
        },
      ]
    }
  }
  depends_on = [azapi_resource.group]

  lifecycle {
    ignore_changes = [body.tags["ccgpu-expires"]]
  }
}

resource "azapi_resource" "vnet" {
  type                      = "Microsoft.Network/virtualNetworks@2026-03-01"
  parent_id                 = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/ccgpu-demo"
  name                      = "demo-vnet"
  schema_validation_enabled = false
  body = {
    location = "eastus2"
    tags = {
      "ccgpu-deployment" = "demo"
      "ccgpu-run"        = "rendered"
      "ccgpu-created"    = terraform_data.lease.output.created
      "ccgpu-expires"    = terraform_data.lease.output.expires
    }
    properties = {
      addressSpace = {
        addressPrefixes = [
          "10.71.0.0/16",
        ]
      }
      subnets = [
        {
          name = "default"
          properties = {
            addressPrefix         = "10.71.0.0/24"
            defaultOutboundAccess = false
          }
        },
      ]
    }
  }
  depends_on = [azapi_resource.group]

  lifecycle {
    ignore_changes = [body.tags["ccgpu-expires"]]
  }
}

resource "azapi_resource" "vm" {
  type                      = "Microsoft.Compute/virtualMachines@2026-04-01"
  parent_id                 = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/ccgpu-demo"
  name                      = "demo"
  schema_validation_enabled = false
  body = {
    location = "eastus2"
    tags = {
      "ccgpu-deployment"  = "demo"
      "ccgpu-body"        = "fdf99e1704ff0d91a569655bcad88c05d75ec6f2166165ea1947e87fe2045946"
      "ccgpu-guest"       = "driver=595;docker=true;container_toolkit=true;openssl=true;apt_snapshot=20260615T120000Z;updates=security;temp_disk=encrypted;cloud_init=none;ready=after-attestation;lockdown=true;installed=595.71.05"
      "ccgpu-custom-data" = "SHA-256"
      "ccgpu-run"         = "rendered"
      "ccgpu-created"     = terraform_data.lease.output.created
      "ccgpu-expires"     = terraform_data.lease.output.expires
    }
    properties = {
      hardwareProfile = {
        vmSize = "Standard_NCC40ads_H100_v5"
      }
      securityProfile = {
        securityType = "ConfidentialVM"
        uefiSettings = {
          secureBootEnabled = true
          vTpmEnabled       = true
        }
      }
      storageProfile = {
        imageReference = {
          publisher = "Canonical"
          offer     = "ubuntu-24_04-lts"
          sku       = "cvm"
          version   = "24.04.202609150"
        }
        osDisk = {
          name         = "demo-osdisk"
          createOption = "FromImage"
          caching      = "ReadWrite"
          diskSizeGB   = 256
          deleteOption = "Delete"
          managedDisk = {
            storageAccountType = "Premium_LRS"
            securityProfile = {
              securityEncryptionType = "DiskWithVMGuestState"
            }
          }
        }
        dataDisks = []
      }
      osProfile = {
        computerName             = "demo"
        adminUsername            = "azureuser"
        allowExtensionOperations = false
        linuxConfiguration = {
          disablePasswordAuthentication = true
          provisionVMAgent              = true
          patchSettings = {
            patchMode = "ImageDefault"
          }
          ssh = {
            publicKeys = [
              {
                path    = "/home/azureuser/.ssh/authorized_keys"
                keyData = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6ugBULBtCw910h8qCEhpAPD7DM4vsd0jymRQxwbA2J me"
              },
            ]
          }
        }
        customData = "FIRST BOOT"
      }
      diagnosticsProfile = {
        bootDiagnostics = {
          enabled = true
        }
      }
      priority       = "Spot"
      evictionPolicy = "Deallocate"
      billingProfile = {
        maxPrice = -1.0
      }
      networkProfile = {
        networkApiVersion = "2022-11-01"
        networkInterfaceConfigurations = [
          {
            name = "demo-nic"
            properties = {
              primary                     = true
              deleteOption                = "Delete"
              enableAcceleratedNetworking = false
              networkSecurityGroup = {
                id = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/ccgpu-demo/providers/Microsoft.Network/networkSecurityGroups/demo-nsg"
              }
              ipConfigurations = [
                {
                  name = "primary"
                  properties = {
                    primary = true
                    subnet = {
                      id = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/ccgpu-demo/providers/Microsoft.Network/virtualNetworks/demo-vnet/subnets/default"
                    }
                    privateIPAddressVersion = "IPv4"
                    publicIPAddressConfiguration = {
                      name = "demo-ip"
                      sku = {
                        name = "Standard"
                        tier = "Regional"
                      }
                      properties = {
                        deleteOption             = "Delete"
                        publicIPAllocationMethod = "Static"
                        publicIPAddressVersion   = "IPv4"
                      }
                      tags = {
                        "ccgpu-deployment" = "demo"
                        "ccgpu-run"        = "rendered"
                        "ccgpu-created"    = terraform_data.lease.output.created
                        "ccgpu-expires"    = terraform_data.lease.output.expires
                      }
                    }
                  }
                },
              ]
            }
            tags = {
              "ccgpu-deployment" = "demo"
              "ccgpu-run"        = "rendered"
              "ccgpu-created"    = terraform_data.lease.output.created
              "ccgpu-expires"    = terraform_data.lease.output.expires
            }
          },
        ]
      }
    }
  }
  depends_on = [azapi_resource.group, azapi_resource.nsg, azapi_resource.vnet]

  timeouts {
    create = "60m"
  }

  lifecycle {
    ignore_changes = [body.tags["ccgpu-expires"]]
  }
}

output "vm" {
  value = azapi_resource.vm.id
}
