"""The vocabulary of the shop's catalog."""

# Root category -> leaf category -> nouns; each leaf has its prices in whole euros.
CATEGORIES: dict[str, dict[str, tuple[int, int, list[str]]]] = {
    "Kitchen": {
        "Pans": (25, 180, ["Frying Pan", "Sauté Pan", "Wok", "Casserole", "Grill Pan"]),
        "Knives": (20, 220, ["Chef's Knife", "Bread Knife", "Paring Knife", "Santoku", "Cleaver"]),
        "Boards": (15, 90, ["Cutting Board", "Serving Board", "Cheese Board", "Bread Box", "Tray"]),
        "Storage": (8, 60, ["Storage Jar", "Spice Rack", "Lunch Box", "Canister", "Bottle"]),
        "Baking": (10, 75, ["Loaf Tin", "Mixing Bowl", "Rolling Pin", "Baking Sheet", "Scale"]),
    },
    "Coffee and Tea": {
        "Kettles": (30, 160, ["Pour-Over Kettle", "Stovetop Kettle", "Electric Kettle", "Samovar"]),
        "Grinders": (40, 320, ["Hand Grinder", "Burr Grinder", "Espresso Grinder", "Mortar"]),
        "Brewers": (20, 240, ["Coffee Dripper", "French Press", "Moka Pot", "Siphon Brewer"]),
        "Cups": (9, 45, ["Espresso Cup", "Mug", "Tea Bowl", "Travel Cup", "Cup and Saucer"]),
    },
    "Outdoor": {
        "Tents": (120, 690, ["Two-Person Tent", "Tunnel Tent", "Tarp", "Trekking Tent"]),
        "Packs": (45, 260, ["Day Pack", "Trekking Pack", "Roll-Top Pack", "Hip Pack"]),
        "Sleeping": (40, 420, ["Sleeping Bag", "Sleeping Mat", "Camp Pillow", "Hammock"]),
        "Camp Kitchen": (15, 140, ["Gas Stove", "Camp Pot", "Vacuum Flask", "Camp Kettle"]),
    },
    "Home Office": {
        "Desks": (180, 950, ["Standing Desk", "Writing Desk", "Corner Desk", "Wall Desk"]),
        "Chairs": (120, 840, ["Desk Chair", "Task Chair", "Kneeling Chair", "Saddle Stool"]),
        "Desk Tidy": (8, 70, ["Pen Tray", "Monitor Stand", "Document Tray", "Cable Box"]),
        "Notebooks": (6, 38, ["Notebook", "Sketchbook", "Planner", "Index Cards"]),
    },
    "Bed and Bath": {
        "Bedding": (25, 240, ["Duvet Cover", "Fitted Sheet", "Pillowcase", "Bedspread"]),
        "Blankets": (30, 190, ["Wool Blanket", "Throw Blanket", "Quilt", "Baby Blanket"]),
        "Towels": (9, 65, ["Bath Towel", "Hand Towel", "Hammam Towel", "Bath Mat"]),
        "Robes": (45, 160, ["Bathrobe", "Kimono Robe", "Slippers", "Sauna Kilt"]),
    },
    "Lighting": {
        "Desk Lamps": (35, 260, ["Desk Lamp", "Clamp Lamp", "Reading Lamp", "Task Lamp"]),
        "Floor Lamps": (70, 480, ["Floor Lamp", "Arc Lamp", "Tripod Lamp", "Uplighter"]),
        "Pendants": (45, 390, ["Pendant Lamp", "Globe Pendant", "Paper Lantern", "Cluster Lamp"]),
        "Candles": (7, 58, ["Candle Holder", "Beeswax Candle", "Lantern", "Tealight Set"]),
    },
    "Audio": {
        "Headphones": (49, 449, ["Headphones", "Open-Back Headphones", "Earbuds", "Headset"]),
        "Speakers": (
            59,
            699,
            ["Bookshelf Speaker", "Portable Speaker", "Shelf Speaker", "Soundbar"],
        ),
        "Turntables": (149, 890, ["Turntable", "Phono Preamp", "Record Brush", "Record Stand"]),
        "Radios": (39, 259, ["Kitchen Radio", "Clock Radio", "Portable Radio", "Internet Radio"]),
    },
    "Garden": {
        "Hand Tools": (12, 85, ["Garden Trowel", "Secateurs", "Garden Fork", "Weeding Knife"]),
        "Planters": (14, 180, ["Planter", "Hanging Planter", "Window Box", "Raised Bed"]),
        "Watering": (12, 95, ["Watering Can", "Garden Hose", "Plant Mister", "Rain Gauge"]),
        "Furniture": (60, 520, ["Garden Bench", "Folding Chair", "Bistro Table", "Deck Chair"]),
    },
}

BRANDS: dict[str, list[str]] = {
    "Kitchen": ["Gusseisen & Sohn", "Maren", "Oakroot"],
    "Coffee and Tea": ["Kestrel", "Third Pour", "Hario Lane"],
    "Outdoor": ["Fjellvei", "North Ridge", "Packhorse"],
    "Home Office": ["Werkbank", "Quiet Desk", "Folio"],
    "Bed and Bath": ["Linnea", "Saltwater", "Woolgather"],
    "Lighting": ["Lumen", "Halo", "Nordlys"],
    "Audio": ["Tonwerk", "Larkspur", "Evensong"],
    "Garden": ["Greenhouse 9", "Thornbury", "Rill"],
}

SERIES = ["Alma", "Birk", "Cedar", "Dale", "Ember", "Fen", "Grove", "Haven", "Isle", "Juno"]
MATERIALS: dict[str, list[str]] = {
    "Kitchen": ["cast iron", "stainless steel", "oak", "stoneware"],
    "Coffee and Tea": ["stainless steel", "porcelain", "borosilicate glass", "copper"],
    "Outdoor": ["ripstop nylon", "aluminium", "recycled polyester", "titanium"],
    "Home Office": ["oak", "birch plywood", "powder-coated steel", "wool felt"],
    "Bed and Bath": ["linen", "organic cotton", "wool", "waffle cotton"],
    "Lighting": ["brass", "opal glass", "powder-coated steel", "oak"],
    "Audio": ["walnut", "anodised aluminium", "oak", "recycled plastic"],
    "Garden": ["galvanised steel", "acacia wood", "terracotta", "oak"],
}
COLOURS = ["black", "white", "sand", "moss green", "ink blue", "rust", "natural", "graphite"]
COUNTRIES = ["DE", "DK", "SE", "PT", "IT", "JP"]

PRAISE = [
    "Made to be used every day, and to be repaired rather than replaced.",
    "A quiet favourite of our team, and of the people who make it.",
    "Plain lines, good weight, and nothing that does not need to be there.",
    "Small enough for a small home, sturdy enough for a large one.",
    "Designed in-house and made in a family workshop since 1987.",
]

SEARCHES = [
    "lamp",
    "kettle",
    "coffee",
    "oak",
    "desk",
    "tent",
    "wool",
    "speaker",
    "garden",
    "pan",
    "blanket",
    "headphones",
]
