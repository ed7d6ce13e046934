package facts

import "strconv"

// dmi is what the firmware says of the machine, by facter's names.
type dmi struct {
	biosDate, biosVendor, biosVersion              string
	boardTag, boardVendor, boardName, boardSerial  string
	chassisTag, chassisType                        string
	vendor, productName, productSerial, productUID string
}

// chassisTypes of SMBIOS 3.4, table 17, by facter's spelling; the first is number 1.
var chassisTypes = []string{
	"Other", "", "Desktop", "Low Profile Desktop", "Pizza Box", "Mini Tower", "Tower", "Portable", "Laptop", "Notebook", "Hand Held",
	"Docking Station", "All in One", "Sub Notebook", "Space-Saving", "Lunch Box", "Main System Chassis", "Expansion Chassis", "SubChassis",
	"Bus Expansion Chassis", "Peripheral Chassis", "Storage Chassis", "Rack Mount Chassis", "Sealed-Case PC", "Multi-system", "CompactPCI",
	"AdvancedTCA", "Blade", "Blade Enclosure", "Tablet", "Convertible", "Detachable",
}

func (m *machine) dmi() dmi { return m.dmiOnce.get(m.readDMI) }

func (m *machine) readDMI() dmi {
	id := func(name string) string { return m.line("/sys/class/dmi/id/" + name) }
	d := dmi{
		biosDate: id("bios_date"), biosVendor: id("bios_vendor"), biosVersion: id("bios_version"),
		boardTag: id("board_asset_tag"), boardVendor: id("board_vendor"), boardName: id("board_name"), boardSerial: id("board_serial"),
		chassisTag: id("chassis_asset_tag"),
		vendor:     id("sys_vendor"), productName: id("product_name"), productSerial: id("product_serial"), productUID: id("product_uuid"),
	}
	if n, err := strconv.Atoi(id("chassis_type")); err == nil && n > 0 && n <= len(chassisTypes) {
		d.chassisType = chassisTypes[n-1]
	}
	return d
}

// firmware gives dmi.*. Serial numbers and the UUID are readable by root only.
func (m *machine) firmware() (object, error) {
	d := m.dmi()
	bios, board, chassis, product := object{}, object{}, object{}, object{}
	set(bios, "release_date", d.biosDate)
	set(bios, "vendor", d.biosVendor)
	set(bios, "version", d.biosVersion)
	set(board, "asset_tag", d.boardTag)
	set(board, "manufacturer", d.boardVendor)
	set(board, "product", d.boardName)
	set(board, "serial_number", d.boardSerial)
	set(chassis, "asset_tag", d.chassisTag)
	set(chassis, "type", d.chassisType)
	set(product, "name", d.productName)
	set(product, "serial_number", d.productSerial)
	set(product, "uuid", d.productUID)
	out := object{}
	set(out, "bios", bios)
	set(out, "board", board)
	set(out, "chassis", chassis)
	set(out, "manufacturer", d.vendor)
	set(out, "product", product)
	facts := object{}
	set(facts, "dmi", out)
	return facts, nil
}
