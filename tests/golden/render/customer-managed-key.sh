#!/bin/sh
# The deployment demo, rendered by ccgpu VERSION.
# It belongs into the resource group ccgpu-demo of the subscription 00000000-0000-4000-8000-000000000001.
# Made with the simulated subscription: Azure has no such image.
# It needs az, signed in, and creates a new deployment, one resource after the other.
set -eu

# The seconds between two looks at a resource, how often it is looked at, the times of its tags
interval=${CCGPU_INTERVAL:-10}
looks=${CCGPU_LOOKS:-360}
created=${CCGPU_CREATED:-$(date -u +%Y-%m-%dT%H:%M:%SZ)}
case $created${expires:-} in
*[!0-9TZ:+.-]*)
  echo 'CCGPU_CREATED and CCGPU_EXPIRES are times such as 2026-01-31T12:00:00Z' >&2
  exit 2
  ;;
esac

stop() {
  echo "demo: $1" >&2
  echo 'what is there: ccgpu show demo; to delete it: ccgpu delete demo' >&2
  exit 1
}

# put ID API-VERSION [HEADER]: send the body on standard input, and wait until the resource is made
put() {
  echo "creating $1" >&2
  az rest --method put --url "$1?api-version=$2" ${3:+--headers "$3"} --body @- --output none ||
    stop "$1 is refused"
  look=0
  while :; do
    state=$(az rest --method get --url "$1?api-version=$2" \
      --query properties.provisioningState --output tsv) || state=unknown
    case $state in
    Succeeded) return ;;
    Failed | Canceled) stop "$1 is in the state $state" ;;
    esac
    look=$((look + 1))
    [ "$look" -lt "$looks" ] || stop "$1 is still in the state $state"
    sleep "$interval"
  done
}

found=$(az group exists --name ccgpu-demo --subscription 00000000-0000-4000-8000-000000000001)
[ "$found" = false ] || stop 'it exists already, at least in part'

put /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/ccgpu-demo 2025-04-01 <<BODY
{
  "location": "eastus2",
  "tags": {
    "ccgpu-deployment": "demo",
    "ccgpu-run": "rendered",
    "ccgpu-created": "${created}"
  }
}
BODY

put /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/ccgpu-demo/providers/Microsoft.Network/networkSecurityGroups/demo-nsg 2026-03-01 <<BODY
{
  "location": "eastus2",
  "tags": {
    "ccgpu-deployment": "demo",
    "ccgpu-run": "rendered",
    "ccgpu-created": "${created}"
  },
  "properties": {
    "securityRules": [
      {
        "name": "ssh",
        "properties": {
          "priority": 1000,
          "direction": "Inbound",
          "access": "Allow",
          "protocol": "Tcp",
          "sourceAddressPrefix": "203.0.113.7/32",
          "sourcePortRange": "*",
          "destinationAddressPrefix": "*",
          "destinationPortRange": "22"
        }
      },
      {
        "name": "deny-inbound",
        "properties": {
          "priority": 4096,
          "direction": "Inbound",
          "access": "Deny",
          "protocol": "*",
          "sourceAddressPrefix": "*",
          "sourcePortRange": "*",
          "destinationAddressPrefix": "*",
          "destinationPortRange": "*"
        }
      }
    ]
  }
}
BODY

put /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/ccgpu-demo/providers/Microsoft.Network/virtualNetworks/demo-vnet 2026-03-01 <<BODY
{
  "location": "eastus2",
  "tags": {
    "ccgpu-deployment": "demo",
    "ccgpu-run": "rendered",
    "ccgpu-created": "${created}"
  },
  "properties": {
    "addressSpace": {
      "addressPrefixes": [
        "10.71.0.0/16"
      ]
    },
    "subnets": [
      {
        "name": "default",
        "properties": {
          "addressPrefix": "10.71.0.0/24",
          "defaultOutboundAccess": false
        }
      }
    ]
  }
}
BODY

put /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo 2026-04-01 'If-None-Match=*' <<BODY
{
  "location": "eastus2",
  "tags": {
    "ccgpu-deployment": "demo",
    "ccgpu-body": "fdf99e1704ff0d91a569655bcad88c05d75ec6f2166165ea1947e87fe2045946",
    "ccgpu-guest": "driver=595;docker=true;container_toolkit=true;openssl=true;apt_snapshot=20260615T120000Z;updates=security;temp_disk=encrypted;cloud_init=none;ready=after-attestation;lockdown=true;installed=595.71.05",
    "ccgpu-custom-data": "SHA-256",
    "ccgpu-run": "rendered",
    "ccgpu-created": "${created}"
  },
  "properties": {
    "hardwareProfile": {
      "vmSize": "Standard_NCC40ads_H100_v5"
    },
    "securityProfile": {
      "securityType": "ConfidentialVM",
      "uefiSettings": {
        "secureBootEnabled": true,
        "vTpmEnabled": true
      }
    },
    "storageProfile": {
      "imageReference": {
        "publisher": "Canonical",
        "offer": "ubuntu-24_04-lts",
        "sku": "cvm",
        "version": "24.04.202609150"
      },
      "osDisk": {
        "name": "demo-osdisk",
        "createOption": "FromImage",
        "caching": "ReadWrite",
        "diskSizeGB": 256,
        "deleteOption": "Delete",
        "managedDisk": {
          "storageAccountType": "Premium_LRS",
          "securityProfile": {
            "securityEncryptionType": "DiskWithVMGuestState",
            "diskEncryptionSet": {
              "id": "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/keys/providers/Microsoft.Compute/diskEncryptionSets/own"
            }
          }
        }
      },
      "dataDisks": []
    },
    "osProfile": {
      "computerName": "demo",
      "adminUsername": "azureuser",
      "allowExtensionOperations": false,
      "linuxConfiguration": {
        "disablePasswordAuthentication": true,
        "provisionVMAgent": true,
        "patchSettings": {
          "patchMode": "ImageDefault"
        },
        "ssh": {
          "publicKeys": [
            {
              "path": "/home/azureuser/.ssh/authorized_keys",
              "keyData": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6ugBULBtCw910h8qCEhpAPD7DM4vsd0jymRQxwbA2J me"
            }
          ]
        }
      },
      "customData": "FIRST BOOT"
    },
    "diagnosticsProfile": {
      "bootDiagnostics": {
        "enabled": true
      }
    },
    "networkProfile": {
      "networkApiVersion": "2022-11-01",
      "networkInterfaceConfigurations": [
        {
          "name": "demo-nic",
          "properties": {
            "primary": true,
            "deleteOption": "Delete",
            "enableAcceleratedNetworking": false,
            "networkSecurityGroup": {
              "id": "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/ccgpu-demo/providers/Microsoft.Network/networkSecurityGroups/demo-nsg"
            },
            "ipConfigurations": [
              {
                "name": "primary",
                "properties": {
                  "primary": true,
                  "subnet": {
                    "id": "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/ccgpu-demo/providers/Microsoft.Network/virtualNetworks/demo-vnet/subnets/default"
                  },
                  "privateIPAddressVersion": "IPv4",
                  "publicIPAddressConfiguration": {
                    "name": "demo-ip",
                    "sku": {
                      "name": "Standard",
                      "tier": "Regional"
                    },
                    "properties": {
                      "deleteOption": "Delete",
                      "publicIPAllocationMethod": "Static",
                      "publicIPAddressVersion": "IPv4"
                    },
                    "tags": {
                      "ccgpu-deployment": "demo",
                      "ccgpu-run": "rendered",
                      "ccgpu-created": "${created}"
                    }
                  }
                }
              }
            ]
          },
          "tags": {
            "ccgpu-deployment": "demo",
            "ccgpu-run": "rendered",
            "ccgpu-created": "${created}"
          }
        }
      ]
    }
  }
}
BODY

echo 'ready: ccgpu show demo' >&2
