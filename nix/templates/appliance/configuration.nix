{ modulesPath, ... }:
{
  imports = [ "${modulesPath}/profiles/image-based-appliance.nix" ];

  # What the system and this version of it are called: names of files, labels of partitions, /etc/os-release.
  system.image.id = "appliance";
  system.image.version = "1";

  kiln.layout = "appliance";
  kiln.appliance = {
    url = "https://updates.example.org/appliance";
    # What a device can be updated to for its whole life.
    storeSize = "2GiB";
    varSize = "1GiB";

    # What is public of the keys, which stay elsewhere: the guide shows how each is made.
    # keyring = ./import-pubring.gpg;
    # enrollment = { PK = ./PK.auth; KEK = ./KEK.auth; db = ./db.auth; };
    # signatures.uki = ./signatures/appliance_1.efi.p7;
    # signatures.systemd-boot = ./signatures/systemd-boot.efi.p7;
  };

  services.openssh.enable = true;
  system.stateVersion = "25.11";
}
