package commands

import "healthcare/models"

// demoDoctors begins with the general practitioner; the conditions below refer to the others by their index.
var demoDoctors = []models.DoctorFields{
	{Name: "Dr. Kwame Mensah", Specialization: "General practice", Email: "k.mensah@clinic.example", Phone: "+44 20 7946 0101", YearsOfExperience: new(22)},
	{Name: "Dr. Łucja Nowak", Specialization: "Cardiology", Email: "l.nowak@clinic.example", Phone: "+44 20 7946 0102", YearsOfExperience: new(14)},
	{Name: "Dr. Priya Raman", Specialization: "Endocrinology", Email: "p.raman@clinic.example", Phone: "+44 20 7946 0103", YearsOfExperience: new(11)},
	{Name: "Dr. Jürgen Weiß", Specialization: "Orthopaedics", Email: "j.weiss@clinic.example", Phone: "+44 20 7946 0104", YearsOfExperience: new(27)},
	{Name: "Dr. 田中 美咲", Specialization: "Neurology", Email: "m.tanaka@clinic.example", Phone: "+44 20 7946 0105", YearsOfExperience: new(9)},
	{Name: "Dr. Inês Carvalho", Specialization: "Pulmonology", Email: "i.carvalho@clinic.example", Phone: "+44 20 7946 0106", YearsOfExperience: new(16)},
	{Name: "Dr. Δημήτρης Παππάς", Specialization: "Gastroenterology", Email: "d.pappas@clinic.example", Phone: "+44 20 7946 0107", YearsOfExperience: new(19)},
	{Name: "Dr. Siobhán O'Brien", Specialization: "Dermatology", Email: "s.obrien@clinic.example", Phone: "+44 20 7946 0108", YearsOfExperience: new(8)},
	{Name: "Dr. Олена Шевченко", Specialization: "Psychiatry", Email: "o.shevchenko@clinic.example", Phone: "+44 20 7946 0109", YearsOfExperience: new(13)},
	{Name: "Dr. Ngô Minh Anh", Specialization: "Ophthalmology", Email: "a.ngo@clinic.example", Phone: "+44 20 7946 0110", YearsOfExperience: new(6)},
	{Name: "Dr. ليلى حداد", Specialization: "Paediatrics", Email: "l.haddad@clinic.example", Phone: "+44 20 7946 0111", YearsOfExperience: new(17)},
	{Name: "Dr. Gül Yıldız", Specialization: "Rheumatology", Email: "g.yildiz@clinic.example", Phone: "+44 20 7946 0112", YearsOfExperience: new(10)},
}

type demoCondition struct {
	doctor  int // an index of demoDoctors
	history string
}

var demoAdultConditions = []demoCondition{
	{2, "Type 2 diabetes since 2014. Metformin 1 g twice daily, HbA1c 52 mmol/mol."},
	{2, "Hypothyroidism after thyroiditis. Levothyroxine 75 µg once daily."},
	{3, "Fracture of the left wrist in 2023, healed. Exercises to regain strength."},
	{4, "Migraine with aura, two attacks a month. Sumatriptan 50 mg at onset."},
	{4, "Epilepsy, no seizure since 2019. Levetiracetam 500 mg twice daily."},
	{5, "Asthma since childhood. Budesonide/formoterol inhaler, twice daily and when needed."},
	{6, "Reflux disease. Omeprazole 20 mg once daily before breakfast."},
	{6, "Coeliac disease, confirmed by biopsy. Gluten-free diet."},
	{7, "Psoriasis of elbows and scalp. Calcipotriol/betamethasone once daily in flares."},
	{8, "Recurrent depression, in remission. Sertraline 50 mg once daily, talking therapy every month."},
	{8, "Generalised anxiety. Cognitive behavioural therapy, no medication."},
	{11, "Rheumatoid arthritis since 2015. Methotrexate 15 mg once a week with folic acid."},
}

var demoOlderConditions = []demoCondition{
	{1, "Hypertension since 2016. Amlodipine 5 mg once daily, blood pressure at home around 130/80."},
	{1, "Atrial fibrillation, found at a check-up. Apixaban 5 mg twice daily, bisoprolol 2.5 mg once daily."},
	{1, "Myocardial infarction in 2021, one stent. Aspirin 75 mg and atorvastatin 40 mg once daily."},
	{3, "Osteoarthritis of the right knee. Physiotherapy, paracetamol when needed."},
	{5, "COPD, stopped smoking in 2018. Tiotropium 18 µg once daily, yearly influenza vaccination."},
	{9, "Open-angle glaucoma in both eyes. Latanoprost eye drops at night."},
	{9, "Cataract of the left eye, surgery planned."},
	{11, "Gout, last attack in 2024. Allopurinol 300 mg once daily."},
}

var demoChildConditions = []demoCondition{
	{10, "Asthma. Salbutamol inhaler with spacer when needed."},
	{10, "Atopic eczema. Emollients daily, hydrocortisone 1% in flares."},
	{10, "Recurrent otitis media, three episodes last winter."},
	{10, "Vaccinations complete for the age. No chronic conditions."},
	{10, "Cow's milk allergy, diet supervised by a dietitian."},
}

var demoReviews = []string{
	"Review: stable, next appointment in six months.",
	"Review: better since the last visit.",
	"Review: blood tests normal.",
	"Review: no new complaints. Seen again in three months.",
}

var demoAllergies = []string{
	"Penicillin (rash)", "Peanuts (anaphylaxis, carries adrenaline)", "Latex", "Grass and birch pollen",
	"Ibuprofen (urticaria)", "Iodinated contrast media", "House dust mite",
}

// demoBloodGroups are about as common as in reality.
var demoBloodGroups = []string{"O+", "O+", "O+", "O+", "O+", "A+", "A+", "A+", "A+", "B+", "B+", "O-", "A-", "AB+", "B-", "AB-", "", ""}

var demoStreets = []string{
	"Linden Road", "Harbour Street", "Mill Lane", "Church Walk", "Station Road", "Orchard Close", "Quarry Hill", "Riverside", "Chapel Street", "The Green",
}

var demoPeople = []demoNames{
	{women: "Olivia Grace Amelia Charlotte Evelyn Ruth", men: "George Oliver Arthur Thomas Henry Samuel", families: "Smith Taylor Brown Walker Hughes O'Connor"},
	{women: "Käthe Anneliese Jördis Lena Sophie", men: "Jürgen Björn Matthias Günther Lukas", families: "Müller Schröder Weiß König Jäger"},
	{women: "Zoé Amélie Hélène Chloé Inès", men: "François Théo Jérôme Loïc Noël", families: "Lefèvre Dubois Gauthier Béranger Moreau"},
	{women: "Lucía Begoña Inés María Ximena", men: "José Ángel Íñigo Andrés Martín", families: "Muñoz García Peña Núñez Ibáñez"},
	{women: "Łucja Małgorzata Agnieszka Zofia", men: "Paweł Stanisław Michał Grzegorz", families: "Wójcik Kowalski Zieliński Nowak", womensFamilies: "Wójcik Kowalska Zielińska Nowak"},
	{women: "Şule Ayşe Çiğdem Gülşah", men: "İbrahim Çağlar Ömer Uğur", families: "Yılmaz Öztürk Şahin Çelik"},
	{women: "Ганна Ольга Наталія Ірина", men: "Олександр Дмитро Юрій Андрій", families: "Шевченко Коваленко Бондаренко Ткаченко"},
	{women: "Ελένη Μαρία Αικατερίνη Σοφία", men: "Γιώργος Νίκος Δημήτρης Κώστας", families: "Παπαδόπουλος Νικολάου Γεωργίου", womensFamilies: "Παπαδοπούλου Νικολάου Γεωργίου"},
	{women: "فاطمة مريم ليلى نور", men: "محمد يوسف خالد عمر", families: "حداد منصور خوري النجار"},
	{women: "花子 美咲 さくら 陽菜", men: "太郎 健 翔太 大輔", families: "佐藤 鈴木 高橋 田中", familyNameFirst: true},
	{women: "秀英 丽 静 芳", men: "伟 强 磊 军", families: "王 李 张 刘", familyNameFirst: true},
	{women: "Hoa Minh Hà Ngọc", men: "Hùng Đức Bảo Tuấn", families: "Nguyễn Trần Lê Phạm", familyNameFirst: true},
	{women: "Ananya Lakshmi Meera Kavita", men: "Arjun Rohan Vikram Sanjay", families: "Iyer Sharma Patel Banerjee"},
	{women: "अनीता सुनीता प्रिया", men: "राजेश अमित विजय", families: "शर्मा वर्मा गुप्ता"},
	{women: "Títílayọ̀ Fúnmiláyọ̀ Amina Chioma", men: "Olúwaṣeun Chukwuemeka Ibrahim Tunde", families: "Adéyẹmí Okafor Balógun Eze"},
	{women: "Sørine Åsa Ragnhild Guðrún", men: "Øyvind Søren Håkon Þórður", families: "Sørensen Ødegård Lindström Bjørnsen"},
}
