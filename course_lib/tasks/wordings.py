"""Five or more ways to ask for each built-in task: the first is the one used where nobody chooses.

What a user would put into a prompt stands in some of them: what each choice means, a role, or an example of the form.
`choose` in selection.py picks one of them on development cases.
"""

ANSWERS = (
    "Answer the question in a few words.",
    "Answer with a name, a number or a short phrase, and nothing else.",
    "You are an expert. Give the shortest correct answer.",
    "Reply with only the answer, at most five words.",
    "Short answer:",
)
WORDINGS: dict[str, tuple[str, ...]] = {
    "roman-pottery": (
        *ANSWERS,
        "You are an archaeologist who knows Roman pottery. Answer in at most five words.",
    ),
    "pottery-finds": (
        "What kind of Roman find is described?",
        "Kinds: amphora, mortarium, samian, lamp, cooking pot, flagon, tile, beaker.",
        "You are an expert on Roman pottery. Name the kind of object.",
        "amphora: transport jar with two handles. mortarium: bowl for grinding, with grit and a spout. samian: red "
        "glossy tableware. lamp: gives light. cooking pot: stood on the fire. flagon: for pouring. tile: part of a "
        "building. beaker: for drinking. Which is it?",
        "Someone describes a Roman find without naming it. What is it?",
        "Classify the description.",
    ),
    "general-knowledge": ANSWERS,
    "question-types": (
        "What does the question ask for?",
        "Sort the question by the type of its answer.",
        "Types: abbreviation, description, entity, person, location, number.",
        "abbreviation: what letters stand for. description: a definition, reason or manner. entity: a thing, animal, "
        "colour, language or event. person: somebody or a group. location: a place. number: a count, date or amount. "
        "Which type of answer is asked for?",
        "Read the question. Do not answer it. Say which kind of answer it wants.",
        "Answer type?",
    ),
    "film-sentences": (
        "Is this sentence about a film positive or negative?",
        "Sentiment: positive or negative?",
        "Does the reviewer like the film? Say positive or negative.",
        "You judge film reviews. Say positive if the sentence praises the film and negative if it criticises it.",
        "Positive or negative?",
        "Classify the sentiment of this sentence from a review as positive or negative.",
    ),
    "privacy-clauses": (
        "Is this clause of a privacy policy relevant to the question?",
        "Does the clause help to answer the question? Say yes or no.",
        "You are a lawyer. Say yes if the clause answers the question, at least in part; otherwise no.",
        "Relevant: yes or no?",
        "Would somebody who asks this question want to read this clause? yes or no",
    ),
    "news-entities": (
        "List each name with its kind: PER, ORG, LOC or MISC.",
        "List each name with its kind: PER (person), ORG (organisation), LOC (place) or MISC (other). Write them as "
        "Name = KIND; Name = KIND, or none.",
        "Find all named entities. Form: Japan = LOC; Asian Cup = MISC",
        "Which people, organisations, places and other names are in the sentence? Write Name = PER, ORG, LOC or MISC, "
        "separated by semicolons, each once.",
        "Named entities (PER, ORG, LOC, MISC):",
    ),
    "help-centre": (
        *ANSWERS,
        "You answer for the tea shop Kettle & Kind. Say in a few words what the shop's rules are.",
    ),
    "help-topics": (
        "Which team answers this customer?",
        "Teams: delivery, returns, payment, subscription, account, products.",
        "delivery: when and how parcels travel. returns: sending back, refunds, damage. payment: cards, invoices, "
        "vouchers, prices. subscription: regular orders, pausing, ending. account: login, name, e-mail, privacy. "
        "products: teas and pots, how to brew and keep them. Which team?",
        "You sort messages for a tea shop. Which team should get this one?",
        "Sort this message by topic.",
        "What is this message about?",
    ),
    "databases": (
        "Write one SQLite query that answers the question.",
        "Write one SQLite query. Use only the tables and columns that are listed.",
        "You are a database expert. Reply with SQL only, on one line, without explanation.",
        "SQL:",
        "Translate the question into a SELECT statement for the tables above it.",
    ),
    "town-notices": (
        "Topics: sport, food, weather.",
        "Is this about sport, food or weather?",
        "A local paper has three sections, sport, food and weather. Name the section for this notice.",
        "Topic: sport, food or weather?",
        "sport: games and matches. food: cooking and eating. weather: rain, sun and wind. Which topic?",
    ),
    "town-loans": (
        "Write the loan as: thing | borrower | day of return.",
        "Write: thing | borrower | day. Nothing else.",
        "Rewrite the note as one line with three parts: thing | borrower | day.",
        "Fill in the form: thing | borrower | day. Example: ladder | Tom | Friday",
        "You keep the list of loans. Enter this note as thing | borrower | day.",
    ),
    "town-facts": (
        *ANSWERS,
        "You work at the town's information desk. Answer in a few words.",
    ),
}
