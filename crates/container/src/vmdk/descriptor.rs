//! The text in a VMDK that says what it is.

use image::Seed;

/// The text. `sectors` are the disk's, `file` is what the file is called, `kind` is `monolithicSparse` or the like.
pub(crate) fn descriptor(kind: &str, sectors: u64, file: &str, seed: &Seed) -> Vec<u8> {
    // Two numbers say that there is no content id.
    let cid = match seed.number("cid") {
        reserved @ 0xffff_fffe.. => reserved - 2,
        cid => cid,
    };
    let long = seed.uuid("content").simple().to_string();
    let long = long.get(..24).unwrap_or_default();
    // A name has no way to say that it holds a quote.
    let name: String = file
        .chars()
        .map(|character| {
            if character == '"' || character.is_control() {
                '_'
            } else {
                character
            }
        })
        .collect();
    let cylinders = sectors.div_ceil(255 * 63).min(65_535);
    format!(
        "# Disk DescriptorFile\n\
         version=1\n\
         encoding=\"UTF-8\"\n\
         CID={cid:08x}\n\
         parentCID=ffffffff\n\
         createType=\"{kind}\"\n\
         \n\
         # Extent description\n\
         RW {sectors} SPARSE \"{name}\"\n\
         \n\
         # The Disk Data Base\n\
         #DDB\n\
         \n\
         ddb.adapterType = \"lsilogic\"\n\
         ddb.geometry.cylinders = \"{cylinders}\"\n\
         ddb.geometry.heads = \"255\"\n\
         ddb.geometry.sectors = \"63\"\n\
         ddb.longContentID = \"{long}{cid:08x}\"\n\
         ddb.virtualHWVersion = \"4\"\n"
    )
    .into_bytes()
}
