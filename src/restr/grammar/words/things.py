"""What people call the things and regions of a photograph: one line for each category of the dataset.

The words of a line are in order of use. ``nouns.noun_table`` explains the notation. Only names that hold for every
member of the category: no "puppy", because some dogs are not puppies.
"""

from __future__ import annotations

from restr.grammar.words.nouns import noun_table

THING_NOUNS = noun_table("""
bicycle: bike:12 bicycle:7 cycle bycicle:0.2
car: car:20 vehicle:1.5 automobile:0.5 auto:0.3
motorcycle: motorcycle:9 bike:6 motorbike:4 motor_bike:0.7 cycle:0.6 moto:0.2
airplane: plane:11 airplane:8 aircraft:1.2 jet:1.2 aeroplane:0.5 air_plane:0.3
bus: bus:20 coach:0.3
train: train:20 locomotive:0.6 engine:0.3 train_car:0.4
truck: truck:20 lorry:0.5 pickup:0.5 pick_up:0.2
boat: boat:20 ship:1.2 vessel:0.4
traffic_light: traffic_light:10 stoplight:3 stop_light:3 light:4 signal:1.5 traffic_signal:1.5 street_light:0.5
fire_hydrant: fire_hydrant:10 hydrant:8 fireplug:0.3 hydrent:0.1
stop_sign: stop_sign:12 sign:5 stopsign:0.6
parking_meter: parking_meter:10 meter:8
bench: bench:20 seat:2 park_bench:1
bird: bird:20 birdie:0.7
cat: cat:20 kitty:3 feline:0.8 kitty_cat:0.4
dog: dog:20 doggy:1 doggie:0.8 pup:0.8 pooch:0.5 canine:0.5
horse: horse:20 horsey:0.3 horsie:0.3 equine:0.1
sheep: sheep:20 | sheep:20 sheeps:0.3
cow: cow:20 cattle:0.6 bovine:0.2 | cows:20 cattle:5
elephant: elephant:20 elephent:0.3
bear: bear:20
zebra: zebra:20
giraffe: giraffe:20 giraff:0.4 girrafe:0.2
backpack: backpack:12 back_pack:1.5 bag:4 rucksack:0.4 knapsack:0.3 bookbag:0.5 pack:0.7
umbrella: umbrella:20 parasol:0.6 brolly:0.1
handbag: handbag:7 bag:8 purse:7 hand_bag:0.5 tote:0.4
tie: tie:20 necktie:1.5 neck_tie:0.3
suitcase: suitcase:12 luggage:4 bag:3 case:1.5 suit_case:0.7 baggage:0.5 | suitcases:12 luggage:4 bags:4 cases:1
frisbee: frisbee:16 disc:1.5 disk:0.7 frisby:0.2
skis: skis:14 ski:3 pair_of_skis:1 | skis:14
snowboard: snowboard:14 board:5 snow_board:1
sports_ball: ball:20
kite: kite:20
baseball_bat: bat:14 baseball_bat:7
baseball_glove: glove:10 baseball_glove:5 mitt:5 baseball_mitt:1 catchers_mitt:0.4
skateboard: skateboard:14 board:5 skate_board:1
surfboard: surfboard:13 board:6 surf_board:1.2
tennis_racket: racket:10 tennis_racket:8 racquet:2.5 tennis_racquet:1.2
bottle: bottle:20
wine_glass: wine_glass:9 glass:9 wineglass:1 goblet:0.6 glass_of_wine:1.2 wine:1.2
cup: cup:17 glass:4 mug:4 drink:1.2
fork: fork:20
knife: knife:20 | knives:20 knifes:0.3
spoon: spoon:20
bowl: bowl:20 dish:1.5
banana: banana:20 bananna:0.3 bananas:1.5
apple: apple:20
sandwich: sandwich:17 sandwhich:0.7 sub:0.6 sammich:0.2
orange: orange:20
broccoli: broccoli:17 broccoli_piece:0.4 piece_of_broccoli:1.4 brocolli:0.7 broccoli_floret:0.5 | broccoli:12
  broccolis:1 pieces_of_broccoli:2 broccoli_pieces:0.6
carrot: carrot:17 carrots:2.5 piece_of_carrot:0.6 carrot_stick:0.4
hot_dog: hot_dog:12 hotdog:7 dog:0.7 sausage:0.9 frank:0.2
pizza: pizza:18 pie:0.5 pizza_pie:0.3 | pizzas:16
donut: donut:14 doughnut:6 donught:0.2
cake: cake:19 dessert:0.7
chair: chair:20 seat:2.5
couch: couch:11 sofa:9 loveseat:0.4 seat:0.5
potted_plant: plant:12 potted_plant:6 pot_plant:0.7 houseplant:0.4 plant_pot:0.4
bed: bed:20 mattress:0.5
dining_table: table:17 dining_table:2.5 table_top:0.5 tabletop:0.4 dinner_table:0.4
toilet: toilet:17 commode:0.4 potty:0.4 loo:0.1
tv: tv:14 television:4 screen:3 monitor:3 tv_screen:1 t.v.:0.2
laptop: laptop:14 computer:5 laptop_computer:1.2 lap_top:0.5 notebook:0.4
mouse: mouse:17 computer_mouse:1.5 | mice:8 mouses:3
remote: remote:13 remote_control:3 controller:2.5 wii_remote:0.6 wiimote:0.3 clicker:0.3
keyboard: keyboard:18 key_board:0.5 computer_keyboard:0.7
cell_phone: phone:10 cell_phone:7 cellphone:4 mobile:0.7 mobile_phone:0.8 smartphone:0.7 cell:1 smart_phone:0.2
microwave: microwave:17 microwave_oven:0.7
oven: oven:14 stove:5 range:0.4 cooker:0.3
toaster: toaster:17 toaster_oven:1
sink: sink:20 basin:0.7 wash_basin:0.2
refrigerator: fridge:11 refrigerator:8 frig:0.3 freezer:0.4
book: book:20
clock: clock:20 clock_face:0.6
vase: vase:17 pot:0.8 flower_vase:0.7 urn:0.2
scissors: scissors:17 pair_of_scissors:2.5 scissor:1.2 shears:0.3 | scissors:17 pairs_of_scissors:2
teddy_bear: teddy_bear:11 teddy:5 bear:6 stuffed_bear:1.5 stuffed_animal:1.5 toy_bear:0.6 plush:0.2 teddybear:0.5
hair_drier: hair_dryer:8 hairdryer:4 dryer:4 hair_drier:3 blow_dryer:3 blowdryer:0.6
toothbrush: toothbrush:14 tooth_brush:1.5 brush:3
""")

REGION_NOUNS = noun_table("""
banner: banner:12 sign:4 poster:1 flag:0.7
blanket: blanket:14 cover:1.5 bedspread:1 comforter:1 bedding:0.7 quilt:0.5 throw:0.3
bridge: bridge:17 overpass:0.6
cardboard: cardboard:10 box:6 cardboard_box:4 carton:0.7
counter: counter:14 countertop:3 counter_top:1.5
curtain: curtain:13 curtains:5 drapes:1.5 drape:0.7
door: door:17 doorway:1
floor-wood: floor:10 wooden_floor:3 wood_floor:3 hardwood_floor:0.8 hardwood:0.5
flower: flowers:8 flower:9 bouquet:0.7 blossoms:0.3
fruit: fruit:14 fruits:2
gravel: gravel:12 ground:4 stones:1 pebbles:1
house: house:14 home:1.5 building:3
light: light:12 lamp:7 light_fixture:0.7 lights:0.7
mirror: mirror:17
net: net:17 netting:0.7 tennis_net:0.4
pillow: pillow:17 cushion:1.5
platform: platform:14
playingfield: field:10 court:2.5 playing_field:1 ball_field:0.7 pitch:0.6 ground:2
railroad: tracks:6 train_tracks:4 railroad:2.5 railroad_tracks:2 rails:1 track:2.5 railway:0.7
river: river:12 water:7 stream:0.7
road: road:12 street:7 roadway:0.5 pavement:1 asphalt:0.4
roof: roof:17 rooftop:0.8
sand: sand:14 beach:4
sea: water:9 ocean:7 sea:5
shelf: shelf:14 shelves:3 bookshelf:1 shelving:0.4 bookcase:0.5
snow: snow:17 snowy_ground:0.6
stairs: stairs:12 steps:6 staircase:1.2 stairway:0.4
tent: tent:16 canopy:1
towel: towel:17
wall-brick: brick_wall:9 wall:7 bricks:2.5
wall-stone: stone_wall:8 wall:7 stones:0.7 rock_wall:1
wall-tile: tile_wall:3 tiled_wall:3 wall:7 tiles:4 tile:3
wall-wood: wooden_wall:3 wood_wall:3 wall:8 wood:1.5 wood_paneling:0.5
water: water:17
window-blind: blinds:9 blind:4 window_blinds:2 shade:1 shades:1 window_blind:1
window: window:17 glass:0.7 windows:1.5
tree: tree:12 trees:6
fence: fence:16 fencing:0.5 railing:1
ceiling: ceiling:17
sky: sky:20 skies:0.4
cabinet: cabinet:11 cabinets:4 cupboard:2 cupboards:1 dresser:0.7
table: table:17 desk:1.5 tabletop:0.5
floor: floor:14 ground:3 flooring:0.4
pavement: sidewalk:8 pavement:5 ground:3 side_walk:0.6 concrete:1 walkway:1 path:0.5
mountain: mountain:10 mountains:5 hill:3 hills:2 mtn:0.3
grass: grass:18 lawn:1.2 field:1.5 grassy_area:1 grass_area:0.6 green_grass:0.4 ground:0.7
dirt: dirt:12 ground:5 soil:0.7 earth:0.3 dirt_area:0.4 mud:0.3
paper: paper:14 papers:1.5 sheet_of_paper:0.7 piece_of_paper:1.2
food: food:16 meal:1 dish:0.7
building: building:15 bldg:0.4 structure:0.7 buildings:1.5 house:1
rock: rock:12 rocks:5 stone:2 boulder:1.5 boulders:0.4
wall: wall:18
rug: rug:10 carpet:6 mat:2.5
""")

HYPERNYM_NOUNS = noun_table("""
animal: animal:16 creature:1 critter:0.8 beast:0.5 aminal:0.1
vehicle: vehicle:14 ride:0.2
food: food:14 food_item:0.7
fruit: fruit:14 piece_of_fruit:1
vegetable: vegetable:8 veggie:5 veg:0.7
furniture: furniture:10 piece_of_furniture:1
device: device:5 gadget:2 electronics:1 electronic_device:1
clothing: clothes:6 clothing:5 outfit:3 garment:1
utensil: utensil:8 silverware:3 cutlery:1
bag: bag:16
appliance: appliance:10
thing: thing:10 object:5 item:2.5 thingy:0.7 one:4 stuff:0.4
object: thing:8 object:7 item:2.5 thingy:0.7 one:4
one: one:20
""")
