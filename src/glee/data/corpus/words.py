"""What is known of the words of the packs beyond the packs: held-out words, kinds, confusions.

Nothing here teaches that something is there. It only keeps a scene from teaching that something is
not there which a careful person might find in it, so it may err on the side of too much.
"""

HELD_OUT_WORDS = (
    "gramophone",
    "okapi",
    "pagoda",
    "saxophone",
    "stegosaurus",
    "trilobite",
    "wheelchair",
    "hedgehog",
    "helicopter",
    "metronome",
)
"""Words kept out of all training, so that a score on unseen names means something."""

COCO_NAMES = tuple(
    """person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire
    hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear,
    zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports
    ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine
    glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot
    dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop,
    mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock,
    vase, scissors, teddy bear, hair drier, toothbrush""".replace("\n    ", " ").split(", ")
)
"""The 80 names of COCO."""

WIDER = {
    "antelope": "animal",
    "bird": "animal",
    "dinosaur": "animal",
    "dog": "animal",
    "fish": "animal",
    "insect": "animal",
    "boat": "vehicle",
    "ship": "vehicle",
    "flower": "plant",
    "tree": "plant",
    "fruit": "food",
    "vegetable": "food",
    "tower": "building",
}
"""A wider word than a parent that the packs give."""

OPEN_PARENTS = frozenset(
    """animal, antelope, ball, building, dinosaur, fish, flower, food, food package, fruit,
    furniture, insect, lamp, musical instrument, plant, statue, tool, tower, tree, vegetable,
    vehicle, weapon""".replace("\n    ", " ").split(", ")
)
"""Wider words of which anything that has no parent in the packs may be a case."""

_ALIKE = """
person, man, woman, boy, girl, child, baby, bearded man, old man, old woman, angel, astronaut,
    spaceman, bride, construction worker, dancer, detective, elf, fairy, fencer, firefighter,
    fireman, genie, guardsman, royal guard, mage, wizard, mermaid, mrs claus, ninja, paratrooper,
    person with parachute, police officer, prince, princess, runner, santa claus, superhero,
    supervillain, vampire, zombie, ghost, alien, doll, rag doll, nesting doll, japanese doll,
    mannequin, statue, buddha statue, statue of liberty, wooden figurine, nutcracker, robot,
    snowman
sofa, couch, sofa bed, corner sofa, futon, day bed, armchair, lounge chair, seat, bench, pouf
chair, armchair, seat, lounge chair, deck chair, beach chair, sun lounger, high chair, windsor
    chair, folding chair, stool, bar stool, baby chair
bed, bunk bed, loft bed, crib, hospital bed, day bed, sofa bed, air mattress, futon, baby bed
cupboard, cabinet, wardrobe, dresser, chest of drawers, chest, bookcase, bookshelf, shelf, sink
    cabinet, filing cabinet, file cabinet, tv stand, locker, bathroom vanity, bedside table,
    dressing table, desk, changing table, sideboard
desk, table, dining table, workbench, dressing table, changing table, cafe table, bar table, coffee
    table, glass table, folding table, trestle table, school desk, bedside table, tray
stool, pouf, bar stool, piano bench, bench, exercise bench, seat
cup, mug, teacup, coffee cup, beer mug, drinking glass, tumbler glass, beer glass, wine glass,
    glass, cocktail glass, plastic cup, paper cup, cup with straw, glass of milk, cocktail, bubble
    tea, pencil cup, whisky glass, martini glass, trophy
pot, cooking pot, planter, vase, jar, urn, pitcher, ewer, jug, teapot, kettle, amphora, bowl,
    basin, bucket, honey pot, pot of food, flower box, sugar bowl, salad bowl, fruit bowl,
    cosmetics jar, moka pot, creamer, potted plant, coffee maker
box, cardboard box, crate, package, chest, carton, gift box, bento box, file box, takeout box,
    toolbox, shipping container, trunk, cube, medicine box, bread box, safe
car, automobile, taxi, suv, race car, police car, van, minibus, toy car, ambulance, pickup truck,
    truck, vehicle, beetle, racing car
truck, fire truck, fire engine, garbage truck, semi truck, delivery truck, dumper, dump truck,
    pickup truck, cement mixer, armored vehicle, vehicle, ambulance, van
bus, minibus, trolleybus, van, tram, vehicle
train, tram, light rail train, steam locomotive, locomotive, railway car, train car, toy train,
    monorail, high-speed train, subway train, suspension railway, trolleybus, cable car, vehicle
boat, ship, sailboat, sailing ship, ketch, schooner, ferry, canoe, rowboat, speedboat, motorboat,
    cruise ship, junk ship, toy boat, motor boat, vehicle, surfboard
bicycle, bike, tricycle, exercise bike, motorcycle, motorbike, motor scooter, scooter, kick
    scooter, vehicle, sled
airplane, aeroplane, airliner, plane, small airplane, biplane, fighter jet, jet, vehicle, rocket,
    toy, kite, bird
lamp, chandelier, chandelier lamp, ceiling lamp, table lamp, desk lamp, pendant lamp, wall lamp,
    outdoor lamp, fluorescent lamp, street lamp, street light, lamppost, lantern, light bulb, oil
    lamp, wall spotlight, track lighting, camping lamp, candle, paper lantern, stone lantern,
    flashlight, torch
plant, potted plant, houseplant, succulent plant, bonsai, cactus, spider plant, bush, yucca plant,
    rice plant, seedling, bamboo, orchid, lily, flower box, hedge, herb, leaf, clover, four-leaf
    clover, lavender, thyme, lettuce plant, eggplant plant, pampas, planter, holly, flower,
    mushroom
tree, acacia, bonsai, christmas tree, cypress tree, coconut tree, maple tree, palm tree, pine tree,
    poplar tree, oak tree, evergreen tree, joshua tree, bamboo, bush, hedge, plant, palm
flower, blossom, rose, tulip, sunflower, daffodil, marigold, hyacinth, orchid, lily, bouquet,
    lotus, cherry blossom, wilted flower, water lily, hibiscus, iris, petunia, anemone, artificial
    flower, lavender, plant, desert rose, gazania, pigface flower, anthurium
hat, cap, helmet, crown, top hat, baseball cap, graduation cap, military helmet, propeller hat
handbag, purse, backpack, school bag, briefcase, suitcase, luggage, pouch, shopping bag, bag, trunk
phone, cell phone, cellphone, mobile phone, smartphone, telephone, cordless phone, telephone
    receiver, pager, intercom, fax machine, remote control, remote
computer, desktop computer, laptop, notebook computer, tablet computer, computer monitor, monitor,
    screen, television, tv, smartphone
keyboard, computer keyboard, electronic keyboard, piano keyboard, keyboard instrument, grand piano,
    piano, upright piano
shirt, t-shirt, blouse, jacket, coat, dress, kimono, suit, sari, lab coat, martial arts uniform,
    running shirt, vest, safety vest, skirt, folded clothes, swimsuit
trousers, jeans, shorts, briefs, bikini, swimsuit, suit, folded clothes
shoe, dress shoe, flat shoe, sneaker, running shoe, boot, hiking boot, sandal, flip-flop, moccasin,
    slipper, high-heeled shoe, high heel, ballet shoe, roller skate, inline skate, ice skate
bread, loaf of bread, baguette, bagel, croissant, flatbread, sandwich, hamburger, hot dog, pretzel,
    doughnut, donut, waffle, pancake, cookie
cake, cake slice, shortcake, cupcake, birthday cake, mooncake, pie, mince pie, pancake, custard,
    pudding, christmas pudding, doughnut, donut, waffle, cookie, fish cake
bottle, beer bottle, wine bottle, champagne bottle, perfume bottle, medicine bottle, oil bottle,
    spray bottle, sake bottle, baby bottle, lotion bottle, yogurt bottle, vase, jar
ball, sports ball, soccer ball, football, american football, basketball, volleyball, baseball,
    softball, tennis ball, rugby ball, rugby football, cricket ball, billiard ball, eight ball,
    crystal ball, disco ball, orange, yarn ball
dog, bulldog, dalmatian, poodle, guide dog, service dog, dingo, wild dog, dog head, wolf head
cat, siamese cat, black cat, cat head, wildcat, lion, tiger, leopard, cougar, puma
cow, white cow, bull, ox, zebu, water buffalo, bison, cow head, wildebeest
goat, sheep, ewe, ram, mountain goat, antelope, lamb
horse, donkey, carousel horse, rocking horse, horse head, zebra
duck, drake, goose, gander, swan, bird, chick
chicken, hen, rooster, cock, chick, turkey, bird, roast chicken
deer, caribou, reindeer, moose, elk, wapiti, doe, antelope, gerenuk, blackbuck, wildebeest
bear, brown bear, polar bear, bear head, teddy bear, stuffed bear, panda, koala
monkey, chimpanzee, gorilla, orangutan, emperor tamarin, tamarin, monkey head
mouse, rat, mouse head, hamster head, rabbit
bird, dodo, eagle, owl, parrot, goose, black bird, swan, pigeon
fish, bass, tropical fish, fish head, pufferfish, shark, carp streamer, seahorse, dolphinfish
knife, dagger, kitchen knife, fork and knife, plate with cutlery
fork, fork and knife, plate with cutlery, spoon
clock, alarm clock, mantel clock, cuckoo clock, watch, wristwatch, timer, stopwatch, compass
stove, oven, cooktop, microwave, toaster oven, camping stove, cooker
sink, washbasin, basin, bathroom vanity, sink cabinet, bidet
toilet, toilet bowl, bidet, urinal, potty
refrigerator, fridge, chest freezer, water cooler
rug, carpet, doormat, bath mat, tatami
book, open book, notebook, stack of books, folder, notepad, newspaper, paper sheet, bookmark
guitar, electric guitar, classical guitar, bass guitar, banjo, mandolin, violin, cello
house, building, hut, derelict house, garden shed, doll house, playhouse, dog house, hotel,
    hospital, church, temple, mosque, castle, synagogue, office building, school, factory, post
    office, shop, convenience store, department store, bank building, japanese castle, tower,
    minaret, pyramid
sign, stop sign, road sign, exit sign, atm sign, bus stop sign, railroad crossing sign
skis, ski, snowboard, sled
baseball bat, cricket bat, bat
baseball glove, glove, boxing glove
apple, peach, nectarine, plum, pomegranate, tomato
orange, satsuma, grapefruit, lemon, apricot, tangerine
pen, pencil, fountain pen, highlighter pen, crayon, ballpoint pen
earth, planet, globe, neptune, jupiter, saturn, moon
toy, doll, toy car, toy boat, toy train, wooden toy, teddy bear, yo-yo, kite, ball
hair drier, drill
frisbee, flying disc, plate, flying saucer
trash can, garbage bin, wastebasket, wheelie bin, recycling bin, compost bin, bucket, barrel
mixer, blender, coffee maker, grinder, squeezer
speaker, loudspeaker, amplifier, stereo, radio, speaker dock
"""
ALIKE = tuple(
    frozenset(line.replace("\n    ", " ").split(", "))
    for line in _ALIKE.strip().replace("\n    ", " ").split("\n")
)
"""Names of which one may be said of what is called another, or is hard to tell from it."""

_CLOTHES = """hat, cap, helmet, crown, shirt, t-shirt, blouse, jacket, coat, dress, kimono, suit,
    trousers, jeans, shorts, skirt, shoe, sneaker, boot, sandal, sock, glove, gloves, scarf, tie,
    necktie, belt, watch, wristwatch, ring, glasses, eyeglasses, sunglasses, goggles, backpack,
    handbag, purse, bag, umbrella, uniform, lab coat, vest, swimsuit, bikini, ribbon, bow, medal,
    wing, mask, baseball glove, baseball cap, ball, sports ball, cell phone, tennis racket,
    baseball bat, surfboard, skateboard, skis, ski, book, bottle, cup, frisbee, kite""".replace(
    "\n    ", " "
)
_WITH = {
    "person, man, woman, boy, girl, child, baby, firefighter, construction worker, santa claus, "
    "astronaut, dancer, runner, bride, police officer, paratrooper, old man, old woman": _CLOTHES,
    "potted plant, bonsai, flower box": "pot, planter, vase, plant, flower, tree, bowl",
    "vase": "flower, plant, bouquet",
    "bicycle, motorcycle, car, bus, truck, van, race car, tractor, tricycle, skateboard": (
        "wheel, tire, person, window, seat"
    ),
    "train, tram, airplane, boat, ship, sailboat, ketch, schooner, ferry": (
        "person, window, flag, wheel"
    ),
    "horse, donkey, camel, elephant, cow, goat": "saddle, person, chair, seat",
    "house, building, castle, church, hotel, doll house": "window, door, chimney, fence, clock",
    "bed, bunk bed, loft bed, crib, hospital bed, day bed": "pillow, blanket, mattress, ladder",
    "desktop computer": "computer monitor, computer keyboard, computer mouse, tv, mouse, keyboard",
    "laptop": "computer keyboard, keyboard, screen",
    "sink, bathroom vanity, sink cabinet, bathtub, washbasin": "faucet, tap, mirror",
    "hamburger, sandwich, pizza, hot dog, salad, taco": (
        "bread, tomato, cheese, lettuce, meat, olive, mushroom, egg, box, plate, onion"
    ),
    "chandelier, lamp, street lamp, table lamp, floor lamp, traffic light": "light bulb, candle",
    "pizza, cake, hot dog, donut, doughnut, sandwich": "plate, table, box, tray",
    "bookcase, shelf": "book, box, vase",
    "drum kit": "drum, chair, seat, stool",
    "grand piano, upright piano": "bench, stool",
    "tree, christmas tree": "ball, star, gift box, leaf",
    "cup, mug, coffee cup, teacup": "plate, spoon, saucer",
    "kettle, stove, oven": "pot, cooking pot, clock",
    "bench": "person",
    "chair, armchair, sofa": "pillow, cushion, wheel",
    "umbrella, beach umbrella": "person",
    "suitcase, backpack": "tag, label, wheel",
    "stroller": "wheel, baby, person",
    "dog, cat": "collar, bell, ribbon",
}
CARRIED = {
    one: frozenset(things.split(", "))
    for names, things in _WITH.items()
    for one in names.split(", ")
}
"""What a cut-out of a name often has on it, in it or in its hands, without a label."""

SCENERY = frozenset(
    """tree, plant, flower, bush, hedge, leaf, herb, grass, evergreen tree, palm tree, palm, pine
    tree, coconut tree, cypress tree, maple tree, oak tree, poplar tree, deciduous tree,
    wood log, firewood, potted plant, blossom, clover, seedling, maple leaf, dandelion,
    marigold, yellow flower, daisy, building, house, hut, castle, church, hotel, school,
    shop, factory, tower, derelict house, office building, apartment, bank building,
    department store, garden shed, temple, window, french window, door, garage door, screen
    door, glass door, shutter, chimney, fence, railing, wall, gate, stairs, escalator,
    elevator, elevator door, bench, sign, road sign, stop sign, exit sign, bus stop sign,
    traffic light, street lamp, street light, lamppost, lamp, ceiling lamp, outdoor lamp,
    wall lamp, pendant lamp, chandelier, light bulb, flag, white flag, black flag, checkered
    flag, fire hydrant, mailbox, post box, parking meter, trash can, construction barrier,
    traffic cone, fountain, statue, rock, stone, mountain, cloud, rainbow, moon, crescent
    moon, star, earth, planet, water drop, snowflake, bridge, car, truck, van, bus, train,
    railway car, boat, ship, rowboat, sailboat, ferry, canoe, motorboat, vehicle, bicycle,
    cabinet, cupboard, shelf, curtain, window blind, radiator, carpet, rug, mirror, picture
    frame, table, chair, bed, box, cardboard box, crate, brick, pallet, umbrella, surfboard,
    swimming pool, goal net, tennis racket, person, tatami, sink, faucet, shower, shower
    door, swing, ladder, chain, smoke detector, light switch, wall socket, air conditioner,
    furniture, animal, bird, food, tool, rope, barrel, fire hydrant, fireplace, bamboo,
    satellite dish, solar panel, clock, sandpit, playground slide, net, tennis ball, sports
    ball, ball, basketball net, skateboard, snowboard, skis, sculpture,
    motorcycle, tire, wheel""".replace("\n    ", " ").split(", ")
)
"""What pictures used as backgrounds may show without a label."""
